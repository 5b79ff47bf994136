"""RFB-320 on every frame of a clip, decoding included, as its users write it in Python: with OpenVINO or with OpenCV's DNN
module. Prints frames per second and the faces found as JSON. Usage: rfb320.py openvino|opencv MODEL.onnx CLIP"""
import json
import sys
import time

import cv2
import numpy as np

runtime, model, clip = sys.argv[1:4]
WIDTH, HEIGHT, THRESHOLD, IOU = 320, 240, 0.7, 0.3

if runtime == "openvino":
    import openvino as ov

    network = ov.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    request = network.create_infer_request()
    scores_port, boxes_port = network.output("scores"), network.output("boxes")

    def infer(blob):
        request.infer({0: blob}, share_inputs=True)
        return request.get_tensor(scores_port).data, request.get_tensor(boxes_port).data

elif runtime == "opencv":
    net = cv2.dnn.readNetFromONNX(model)

    def infer(blob):
        net.setInput(blob)
        return net.forward(["scores", "boxes"])

else:
    sys.exit(f"rfb320.py: no runtime is called {runtime}")


def faces_of(picture):
    blob = cv2.dnn.blobFromImage(picture, 1 / 128, (WIDTH, HEIGHT), (127, 127, 127), swapRB=True)
    scores, boxes = infer(blob)
    confident = scores[0, :, 1] > THRESHOLD
    height, width = picture.shape[:2]
    found = boxes[0][confident] * np.array([width, height, width, height], np.float32)
    found[:, 2:] -= found[:, :2]
    return cv2.dnn.NMSBoxes(found.tolist(), scores[0, confident, 1].tolist(), THRESHOLD, IOU)


capture = cv2.VideoCapture(clip)
frames = faces = 0
begun = time.perf_counter()
while True:
    there, picture = capture.read()
    if not there:
        break
    faces += len(faces_of(picture))
    frames += 1
took = time.perf_counter() - begun
if frames == 0:
    sys.exit(f"rfb320.py: {clip} has no frames")
print(json.dumps({"fps": frames / took, "frames": frames, "faces": faces / frames}))

#!/usr/bin/env python3
"""Records what other programs find on the photographs of `make setup`, for tests/peers.rs to compare with.

  FACIALADS_RECORD=/tmp/pictures cargo test -p facialads-vision --test peers   # writes the pictures as our tests see them
  python3 record_detectors.py /tmp/pictures MODELS detectors.json              # needs numpy, opencv-python, onnxruntime

MODELS holds yunet/yunet_n_640_640.onnx and ultralight/version-RFB-320_simplified.onnx. Pictures are PNG, so that all see the same
pixels: JPEG decoders differ by a level or two. Of people only boxes and points of published photographs are kept.

yunet: OpenCV's FaceDetectorYN on 640x640 pictures, as it is: threshold 0.6, overlap 0.3.
ultralight: what follows the network as in the original repository, written anew from its description: squash to 320x240 (of
ultralight that was done beforehand, of ultralight_whole by OpenCV),
(RGB - 127) / 128; anchors of vision/ssd/config/fd_config.py and generate_priors, offsets of convert_locations_to_boxes (both
vision/utils/box_utils.py), column 1 of the scores above 0.7, the 200 best, hard_nms with an overlap of 0.3.
"""
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime


def yunet(detector, picture):
    _, faces = detector.detect(picture)
    return [] if faces is None else [
        {"box": f[:4].tolist(), "points": f[4:14].tolist(), "score": float(f[14])} for f in faces
    ]


def anchors(width, height):
    """[K, 4]: centre and size as fractions; by the grid, not by the stride."""
    sides = {8: [10, 16, 24], 16: [32, 48], 32: [64, 96], 64: [128, 192, 256]}
    return np.clip(
        [
            [(column + 0.5) / columns, (row + 0.5) / rows, side / width, side / height]
            for stride, in_cell in sides.items()
            for columns, rows in [(-(-width // stride), -(-height // stride))]
            for row in range(rows)
            for column in range(columns)
            for side in in_cell
        ],
        0.0,
        1.0,
    )


def overlaps(box, others):
    corner = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.clip(corner, 0, None), axis=1)
    area = lambda b: np.prod(np.clip(b[..., 2:] - b[..., :2], 0, None), axis=-1)
    return shared / (area(box) + area(others) - shared + 1e-5)


def ultralight(session, picture):
    small = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), (320, 240))
    values = ((small - np.array([127, 127, 127])) / 128).transpose(2, 0, 1)[None].astype(np.float32)
    scores, boxes = (output[0] for output in session.run(["scores", "boxes"], {"input": values}))
    centre, size = np.split(anchors(320, 240), 2, axis=1)
    centre, size = boxes[:, :2] * 0.1 * size + centre, np.exp(boxes[:, 2:] * 0.2) * size
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    above = scores[:, 1] > 0.7
    boxes, scores = boxes[above], scores[above, 1]
    rest = np.argsort(scores)[-200:]
    faces = []
    height, width = picture.shape[:2]
    while len(rest):
        best, rest = rest[-1], rest[:-1]
        left, top, right, bottom = boxes[best] * [width, height, width, height]
        faces.append({"box": [left, top, right - left, bottom - top], "score": float(scores[best])})
        rest = rest[overlaps(boxes[best], boxes[rest]) <= 0.3]
    return faces


def main(pictures, models, out):
    models = Path(models)
    detector = cv2.FaceDetectorYN.create(
        str(models / "yunet/yunet_n_640_640.onnx"), "", (640, 640), score_threshold=0.6, nms_threshold=0.3, top_k=5000
    )
    session = onnxruntime.InferenceSession(str(models / "ultralight/version-RFB-320_simplified.onnx"))
    recorded = {"made_with": f"OpenCV {cv2.__version__}, ONNX Runtime {onnxruntime.__version__}", "yunet": {}, "ultralight": {}, "ultralight_whole": {}}
    rounded = lambda face: {
        k: [round(float(v), 3) for v in value] if k != "score" else round(value, 6) for k, value in face.items()
    }
    for number in range(1, 7):
        name = f"sample{number}"
        recorded["yunet"][name] = [rounded(f) for f in yunet(detector, cv2.imread(f"{pictures}/{name}-640.png"))]
        for kind, end in (("ultralight", "-320"), ("ultralight_whole", "")):
            recorded[kind][name] = [rounded(f) for f in ultralight(session, cv2.imread(f"{pictures}/{name}{end}.png"))]
    # One face a line.
    lines = ",\n".join(
        f'  "{kind}": {{\n'
        + ",\n".join(
            f'    "{name}": [\n' + ",\n".join(f"      {json.dumps(face)}" for face in faces) + "\n    ]"
            for name, faces in recorded[kind].items()
        )
        + "\n  }"
        for kind in ("yunet", "ultralight", "ultralight_whole")
    )
    text = f'{{\n  "made_with": {json.dumps(recorded["made_with"])},\n{lines}\n}}\n'
    assert json.loads(text) == recorded
    Path(out).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:4])

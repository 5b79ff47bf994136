#!/usr/bin/env bash
# Makes the demonstration's material in the folder given: what the camera sees, the programme, four creatives.
# Everything comes from packages that `make setup` fetched, or is drawn here by GStreamer.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1
media=$PWD/.cache/media
# Made anew only when this file changes.
stamp=$out/.made
if [ -f "$stamp" ] && cmp -s "$stamp" "$0"; then exit 0; fi
rm -rf "$out"
mkdir -p "$out"

ffmpeg() { command ffmpeg -nostdin -v error -y "$@"; }
launch() { gst-launch-1.0 -q "$@"; }
h264=(-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 25)

# --- The audience: a camera in front of the screen, 640x480 at 25 fps, 64 s. --------------------------------------
# Each person slides into view, stays, and slides out. All are adults; the second woman is one whom the network takes
# for younger than she is, so the protection of minors must refuse to target her: it errs on that side by design.
#   2-15 s a woman · 16-29 s a man · 31-44 s nobody · 46-60 s a woman who is vetoed
crop() { ffmpeg -i "$media/$1" -vf "crop=$2,scale=-2:480" -frames:v 1 "$3"; }
crop sample6.jpg 560:420:1360:200 "$out/woman.png"
crop sample3.jpg 590:442:1330:170 "$out/veto.png"
slide() { # input label, from second, to second: the x position of a person who comes in from the left and leaves to the right
    echo "x='(W-w)/2-if(lt(t,$1+1),(1-(t-$1))*W,0)+if(gt(t,$2-1),(t-$2+1)*W,0)':y=H-h:enable='between(t,$1,$2)'"
}
ffmpeg -f lavfi -i "color=c=0x4a5560:size=640x480:rate=25:duration=64" \
    -loop 1 -framerate 25 -t 64 -i "$out/woman.png" \
    -i "$media/carphone_pristine.mp4" \
    -loop 1 -framerate 25 -t 64 -i "$out/veto.png" \
    -filter_complex "
        [0]noise=alls=6:allf=t[room];
        [2]fps=25,trim=end=1.6,split[forth][b];
        [b]reverse[back];
        [forth][back]concat,loop=loop=-1:size=80,setpts=N/25/TB,scale=586:480[man];
        [room][1]overlay=$(slide 2 15)[a];
        [a][man]overlay=$(slide 16 29)[b];
        [b][3]overlay=$(slide 46 60)[c]" \
    -map "[c]" -t 64 "${h264[@]}" "$out/audience.mp4"

# --- The programme: 640x360 at 25 fps with sound, 64 s, with its own time burnt in. ------------------------------
#   0-19 s Big Buck Bunny · 19-45 s cars and bicycles in a street · 45-64 s Big Buck Bunny
picture="scale=640:360:force_original_aspect_ratio=increase,crop=640:360,setsar=1,fps=25"
ffmpeg -stream_loop -1 -t 64 -i "$media/bigbuckbunny.mp4" -i "$media/bikes.mp4" \
    -f lavfi -i "sine=frequency=196:beep_factor=4:sample_rate=48000:duration=26" \
    -filter_complex "
        [0:v]$picture,split[v0][v2];
        [1:v]$picture,trim=2.2:4.0,loop=loop=-1:size=45,setpts=N/25/TB,trim=duration=26[street];
        [v0]trim=duration=19,setpts=PTS-STARTPTS[first];
        [v2]trim=start=19:duration=19,setpts=PTS-STARTPTS[last];
        [first][street][last]concat=n=3:v=1,
            drawtext=font=DejaVu Sans Mono:fontsize=18:fontcolor=white:box=1:boxcolor=black@0.6:x=8:y=8:text='PROGRAMME %{pts\:hms}  %{n}'[v];
        [0:a]aformat=channel_layouts=stereo:sample_rates=48000,asplit[a0][a2];
        [2:a]aformat=channel_layouts=stereo,volume=0.25[hum];
        [a0]atrim=duration=19,asetpts=PTS-STARTPTS[sound0];
        [a2]atrim=start=19:duration=19,asetpts=PTS-STARTPTS[sound2];
        [sound0][hum][sound2]concat=n=3:v=0:a=1[a]" \
    -map "[v]" -map "[a]" -t 64 "${h264[@]}" -c:a aac -b:a 128k "$out/programme.mp4"

# --- Four creatives, 5 s each: a moving picture, a name, a line, a chord of their own, and their own time. --------
creative() { # file, name, line, background colour, kind of motion, lowest note in Hz
    launch mp4mux name=mux ! filesink location="$out/$1.mp4" \
        compositor name=mix background=black sink_0::zorder=0 sink_1::zorder=1 sink_1::alpha=0.35 sink_1::xpos=400 sink_1::ypos=60 \
            ! video/x-raw,format=I420,width=640,height=360,framerate=25/1 \
            ! textoverlay text="$2" font-desc="DejaVu Sans Bold 30" halignment=left valignment=center xpad=36 deltay=-30 shaded-background=false \
            ! textoverlay text="$3" font-desc="DejaVu Sans 16" halignment=left valignment=center xpad=38 deltay=30 \
            ! timeoverlay text="$2" font-desc="DejaVu Sans Mono 9" halignment=right valignment=bottom \
            ! x264enc speed-preset=veryfast quantizer=20 key-int-max=25 ! h264parse ! queue ! mux. \
        videotestsrc num-buffers=125 pattern=solid-color foreground-color="$4" ! video/x-raw,width=640,height=360,framerate=25/1 ! queue ! mix.sink_0 \
        videotestsrc num-buffers=125 $5 ! video/x-raw,width=240,height=240,framerate=25/1 ! queue ! mix.sink_1 \
        audiomixer name=chord ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=2 ! avenc_aac bitrate=128000 ! queue ! mux. \
        audiotestsrc num-buffers=250 samplesperbuffer=960 freq="$6" volume=0.12 ! audio/x-raw,rate=48000 ! queue ! chord. \
        audiotestsrc num-buffers=250 samplesperbuffer=960 freq="$(($6 * 5 / 4))" volume=0.09 ! audio/x-raw,rate=48000 ! queue ! chord. \
        audiotestsrc num-buffers=250 samplesperbuffer=960 freq="$(($6 * 3 / 2))" volume=0.09 wave=triangle ! audio/x-raw,rate=48000 ! queue ! chord.
}
creative aurora    "Aurora"    "Skin care for busy days"       0xff7a2f5e "pattern=zone-plate kx2=8 ky2=-8 kt=4"              330
creative northwind "Northwind" "Watches that keep up"          0xff1f3b57 "pattern=zone-plate kx2=20 ky2=20 kt=8"             262
creative volta     "Volta"     "The electric car for the city" 0xff1d5b46 "pattern=ball motion=sweep"                          220
creative greenpaw  "Greenpaw"  "Boots for wild places"        0xff7a5a1e "pattern=zone-plate kx=30 ky=12 kt=8"               294
cp "$0" "$stamp"

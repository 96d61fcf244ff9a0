#!/bin/sh
# Makes all recordings that hotline brings along: speech by espeak-ng, music by sox, both as G.722, and src/media/embedded.rs, which embeds them.
# Needs espeak-ng, sox and cargo. Run it anywhere; the results are committed, so that building hotline needs none of this.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C.UTF-8

# level IN OUT DBFS: the same at this RMS level, its peaks limited.
level() {
    rms=$(sox "$1" -n stats 2>&1 | awk '/^RMS lev dB/ { print $4 }')
    sox "$1" "$2" gain -l "$(awk -v have="$rms" -v want="$3" 'BEGIN { print want - have }')" gain -0.5
}

# say VOICE NAME TEXT
say() {
    mkdir -p "$work/wav/$(dirname "$2")"
    case $1 in ko) speed=185 ;; *) speed=165 ;; esac
    espeak-ng -v "$1" -s $speed -w "$work/raw.wav" "$3"
    # Between silences, so that G.722 begins and ends at rest; within what a telephone carries.
    sox "$work/raw.wav" -r 16000 -c 1 -b 16 "$work/cut.wav" gain -6 rate 16000 highpass 150 lowpass 6500 \
        silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse
    level "$work/cut.wav" "$work/level.wav" -20
    sox "$work/level.wav" "$work/wav/$2.wav" fade t 0.005 -0 0.01 pad 0.08 0.12
}

# language VOICE NAME GREETING LANGUAGE HOLD MORE CLOSED NOBODY GOODBYE READY BREAK WRAPUP
language() {
    voice=$1 name=$2
    say "$voice" "$name/greeting" "$3"
    say "$voice" "$name/language" "$4"
    say "$voice" "$name/hold" "$5"
    say "$voice" "$name/place-more" "$6"
    say "$voice" "$name/closed" "$7"
    say "$voice" "$name/nobody" "$8"
    say "$voice" "$name/goodbye" "$9"
    shift 9
    say "$voice" "$name/ready" "$1"
    say "$voice" "$name/break" "$2"
    say "$voice" "$name/wrap-up" "$3"
}

language en en \
    'Welcome to the city information centre.' \
    'For English, press two.' \
    'Please hold the line. We will be with you shortly.' \
    'There are more than twenty callers before you.' \
    'We are closed at the moment. Please call again during opening hours.' \
    'Nobody is available to take your call. Please call again later.' \
    'Thank you for calling. Goodbye.' \
    'You are ready.' 'You are on break.' 'Your wrap-up has ended.'
# waits VOICE NAME BEFORE AFTER HOUR MORE UNKNOWN OVERDUE N=NUMBER...: how long it may take
waits() {
    voice=$1 name=$2 before=$3 after=$4
    say "$voice" "$name/wait-60" "$5"
    say "$voice" "$name/wait-more" "$6"
    say "$voice" "$name/wait-unknown" "$7"
    say "$voice" "$name/wait-overdue" "$8"
    shift 8
    for number; do
        say "$voice" "$name/wait-${number%%=*}" "$before${number#*=}$after"
    done
}

n=0
for number in one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty; do
    n=$((n + 1))
    say en "en/place-$n" "You are number $number in line."
done

waits en en 'We expect to answer you within ' ' minutes.' \
    'We expect to answer you within an hour.' \
    'It may take more than an hour until we can answer you.' \
    'We cannot say how long it will take.' \
    'It is taking longer than we expected. Your place in line is kept.' \
    2=two 5=five 10=ten 15=fifteen 20=twenty 30=thirty 45=forty-five

language ko ko \
    '시청 안내 센터에 전화해 주셔서 감사합니다.' \
    '한국어는 일 번을 눌러 주십시오.' \
    '잠시만 기다려 주십시오. 곧 연결해 드리겠습니다.' \
    '대기 중인 고객이 스무 명이 넘습니다.' \
    '지금은 상담 시간이 아닙니다. 상담 시간에 다시 전화해 주십시오.' \
    '지금은 통화할 수 있는 상담원이 없습니다. 잠시 후 다시 전화해 주십시오.' \
    '이용해 주셔서 감사합니다. 안녕히 계십시오.' \
    '대기 상태입니다.' '휴식 상태입니다.' '후처리가 끝났습니다.'
n=0
for number in 첫 두 세 네 다섯 여섯 일곱 여덟 아홉 열 열한 열두 열세 열네 열다섯 열여섯 열일곱 열여덟 열아홉 스무; do
    n=$((n + 1))
    say ko "ko/place-$n" "대기 순서는 $number 번째입니다."
done

waits ko ko '' ' 분 안에 연결될 것으로 예상됩니다.' \
    '한 시간 안에 연결될 것으로 예상됩니다.' \
    '연결까지 한 시간 이상 걸릴 수 있습니다.' \
    '얼마나 기다리셔야 할지 지금은 알 수 없습니다.' \
    '예상보다 오래 걸리고 있습니다. 대기 순서는 그대로 유지됩니다.' \
    2=이 5=오 10=십 15=십오 20=이십 30=삼십 45=사십오

# Pinyin: of the characters espeak-ng knows only few unless a larger dictionary was built into it, and spells the rest in English.
language cmn-latn-pinyin zh \
    'huan1ying2 zhi4dian4 shi4zheng4 fu2wu4 re4xian4.' \
    'zhong1wen2 fu2wu4 qing3 an4 san1.' \
    'qing3 shao1hou4, wo3men5 ma3shang4 wei4 nin2 jie1tong1.' \
    'nin2 qian2mian4 hai2you3 er4shi2 duo1 wei4 lai2dian4zhe3.' \
    'xian4zai4 bu2zai4 fu2wu4 shi2jian1 nei4, qing3 zai4 fu2wu4 shi2jian1 zai4ci4 lai2dian4.' \
    'mu4qian2 mei2you3 zuo4xi2 ke3yi3 jie1ting1 nin2 de5 dian4hua4, qing3 shao1hou4 zai4 bo1.' \
    'gan3xie4 nin2 de5 lai2dian4, zai4jian4.' \
    'nin2 yi3 jiu4xu4.' 'nin2 yi3 kai1shi3 xiu1xi5.' 'nin2 de5 zheng3li3 shi2jian1 yi3 jie2shu4.'
n=0
for number in yi1 er4 san1 si4 wu3 liu4 qi1 ba1 jiu3 shi2 shi2yi1 shi2er4 shi2san1 shi2si4 shi2wu3 shi2liu4 shi2qi1 shi2ba1 shi2jiu3 er4shi2; do
    n=$((n + 1))
    say cmn-latn-pinyin "zh/place-$n" "nin2 pai2 zai4 di4 $number wei4."
done

waits cmn-latn-pinyin zh 'yu4ji4 ' ' fen1zhong1 zhi1nei4 wei4 nin2 jie1tong1.' \
    'yu4ji4 yi1 xiao3shi2 zhi1nei4 wei4 nin2 jie1tong1.' \
    'nin2 ke3neng2 xu1yao4 deng3dai4 yi1 xiao3shi2 yi3shang4.' \
    'mu4qian2 wu2fa3 gu1ji4 deng3dai4 shi2jian1.' \
    'deng3dai4 shi2jian1 bi3 yu4ji4 de5 yao4 chang2, nin2 de5 wei4zhi5 yi1ran2 bao3liu2.' \
    2=liang3 5=wu3 10=shi2 15=shi2wu3 20=er4shi2 30=san1shi2 45=si4shi2wu3

# Music: plucked chords, three seconds each, over and over. It ends in silence and begins with it.
bar() {
    sox -r 48000 -c 6 -n -b 16 "$work/bar-$1.wav" gain -6 synth 3 pluck "$2" pluck "$3" pluck "$4" pluck "$5" pluck "$6" pluck "$4" \
        delay 0 0.375 0.75 1.125 1.5 2.25 remix - trim 0 3 fade t 0.01 3 0.25
}
bar 1 C3 G3 C4 E4 G4
bar 2 A2 E3 A3 C4 E4
bar 3 F2 C3 F3 A3 C4
bar 4 G2 D3 G3 B3 D4
bar 5 E2 B2 E3 G3 B3
bar 6 A2 E3 A3 C4 E4
bar 7 D3 A3 D4 F4 A4
bar 8 G2 D3 G3 B3 F4
mkdir -p "$work/wav/music"
sox "$work"/bar-[1-8].wav "$work/all.wav" rate 16000 lowpass 3200 highpass 90 reverb 20
level "$work/all.wav" "$work/level.wav" -20
sox "$work/level.wav" "$work/wav/music/default.wav" fade t 0.02 -0 0.2 pad 0.06 0.04

# The encoder is hotline's own, so it is built with the old recordings before they are replaced.
cd "$here/.."
cargo run --quiet --release --example encode_prompts -- "$work/wav" "$work/out" "$work/embedded.rs"
rm -rf "$here/en" "$here/ko" "$here/zh" "$here/music"
mv "$work"/out/* "$here"
mv "$work/embedded.rs" src/media/embedded.rs

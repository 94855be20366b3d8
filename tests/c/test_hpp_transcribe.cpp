/* zerohop.hpp's speech to text, apart from the rest, since a real model computes. */
#include <zerohop.hpp>

#include "check.h"

static void speech_becomes_text() {
  const zerohop::Engine hearing(zerohop::Model("m", check_model("whisper-tiny.en-f16.bin")));
  zerohop::Speech speech;
  speech.model = "m";
  speech.path = check_model("speech/garden.mp3");
  speech.format = ZEROHOP_AUDIO_FORMAT_TEXT;
  CHECK(hearing.transcribe(speech).body().find("new car") != std::string_view::npos);
  speech.format = ZEROHOP_AUDIO_FORMAT_JSON;
  speech.stream = true;
  zerohop::Response stream = hearing.transcribe(speech);
  int events = 0;
  for (const zerohop::Event &event : stream.events()) events += event.json().empty() ? 0 : 1;
  CHECK_INT(events, 2);
  speech.path = {};
  zerohop_status status = ZEROHOP_OK;
  try {
    hearing.transcribe(speech);
  } catch (const zerohop::Error &error) {
    status = error.status();
  }
  CHECK_INT(status, ZEROHOP_INVALID_ARGUMENT);
}

int main() {
  RUN(speech_becomes_text);
  return check_finish();
}

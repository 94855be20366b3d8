/* Speech to text, of a file and of memory. */
#include "check.h"

#define WHISPER "whisper-tiny.en-f16.bin"

static zerohop_engine *engine;

static zerohop_transcription_request make_request(void) {
  zerohop_transcription_request request;
  zerohop_transcription_request_init(&request, sizeof request);
  request.model = zerohop_str_of("m");
  request.path = zerohop_str_of(check_model("speech/garden.mp3"));
  request.format = ZEROHOP_AUDIO_FORMAT_TEXT;
  return request;
}

static zerohop_response *transcribe(const zerohop_transcription_request *request) {
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  CHECK_STATUS(zerohop_transcribe(engine, request, &response, &error), ZEROHOP_OK, error);
  return response;
}

static void memory_and_file_give_the_same(void) {
  zerohop_transcription_request request = make_request();
  zerohop_response *of_file = transcribe(&request);
  CHECK_INT(zerohop_response_status(of_file), 200);
  CHECK_CONTAINS(zerohop_response_body(of_file).data, "new car");

  FILE *file = fopen(check_model("speech/garden.mp3"), "rb");
  static char audio[1 << 20];
  size_t size = fread(audio, 1, sizeof audio, file);
  fclose(file);
  request.path = zerohop_str_of(NULL);
  request.audio = audio;
  request.audio_size = size;
  zerohop_response *of_memory = transcribe(&request);
  CHECK_STR(zerohop_response_body(of_memory).data, zerohop_response_body(of_file).data);
  zerohop_response_free(of_memory);
  zerohop_response_free(of_file);
}

static void formats_are_what_they_are_called(void) {
  zerohop_transcription_request request = make_request();
  request.format = ZEROHOP_AUDIO_FORMAT_VTT;
  zerohop_response *response = transcribe(&request);
  CHECK_CONTAINS(zerohop_response_body(response).data, "WEBVTT\n\n00:00:0");
  CHECK_CONTAINS(zerohop_response_header(response, "content-type", 12), "text/plain");
  zerohop_response_free(response);
  request.format = ZEROHOP_AUDIO_FORMAT_VERBOSE_JSON;
  request.words = true;
  response = transcribe(&request);
  CHECK_CONTAINS(zerohop_response_body(response).data, "\"words\":[{\"word\":");
  zerohop_response_free(response);
}

static void streams_have_events(void) {
  zerohop_transcription_request request = make_request();
  request.format = ZEROHOP_AUDIO_FORMAT_JSON;
  request.stream = true;
  zerohop_response *response = transcribe(&request);
  zerohop_error *error = NULL;
  zerohop_str event;
  CHECK_STATUS(zerohop_response_next(response, &event, &error), ZEROHOP_OK, error);
  CHECK_CONTAINS(event.data, "transcript.text.delta");
  CHECK_STATUS(zerohop_response_next(response, &event, &error), ZEROHOP_OK, error);
  CHECK_CONTAINS(event.data, "transcript.text.done");
  CHECK_STATUS(zerohop_response_next(response, &event, &error), ZEROHOP_END, error);
  zerohop_response_free(response);
}

static void wrong_arguments_are_errors(void) {
  zerohop_response *response = NULL;
  zerohop_error *error = NULL;
  zerohop_transcription_request request = make_request();
  CHECK_STATUS(zerohop_transcribe(NULL, &request, &response, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_transcribe(engine, NULL, &response, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_STATUS(zerohop_transcribe(engine, &request, NULL, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK_INT(zerohop_transcribe(engine, NULL, &response, NULL), ZEROHOP_INVALID_ARGUMENT);
  request.audio = "RIFF";
  request.audio_size = 4;
  CHECK_STATUS(zerohop_transcribe(engine, &request, &response, &error), ZEROHOP_INVALID_ARGUMENT, error);
  request.path = zerohop_str_of(NULL);
  request.format = 77;
  CHECK_STATUS(zerohop_transcribe(engine, &request, &response, &error), ZEROHOP_INVALID_ARGUMENT, error);
  request = make_request();
  request.path = zerohop_str_of("/no/such/file");
  CHECK_STATUS(zerohop_transcribe(engine, &request, &response, &error), ZEROHOP_INVALID_ARGUMENT, error);
  request = make_request();
  request.temperature = 2;
  CHECK_STATUS(zerohop_transcribe(engine, &request, &response, &error), ZEROHOP_INVALID_REQUEST, error);
  request = make_request();
  request.struct_size = 3;
  CHECK_STATUS(zerohop_transcribe(engine, &request, &response, &error), ZEROHOP_INVALID_ARGUMENT, error);
  CHECK(response == NULL);
  zerohop_transcription_request_init(NULL, sizeof request);
}

static void what_the_api_refuses_is_a_response(void) {
  zerohop_transcription_request request = make_request();
  request.path = zerohop_str_of(NULL);
  request.audio = "no audio";
  request.audio_size = 8;
  zerohop_response *response = transcribe(&request);
  CHECK_INT(zerohop_response_status(response), 400);
  CHECK_CONTAINS(zerohop_response_body(response).data, "\"param\":\"file\"");
  zerohop_response_free(response);
  request = make_request();
  request.translate = true;
  response = transcribe(&request);
  CHECK_INT(zerohop_response_status(response), 400);
  zerohop_response_free(response);
  request = make_request();
  request.model = zerohop_str_of("none");
  response = transcribe(&request);
  CHECK_INT(zerohop_response_status(response), 404);
  zerohop_response_free(response);
}

static void a_token_cancels(void) {
  zerohop_error *error = NULL;
  zerohop_cancel_token *token = zerohop_cancel_token_new();
  zerohop_cancel_token_cancel(token);
  zerohop_transcription_request request = make_request();
  request.cancel = token;
  zerohop_response *response = NULL;
  CHECK_STATUS(zerohop_transcribe(engine, &request, &response, &error), ZEROHOP_CANCELLED, error);
  CHECK(response == NULL);
  zerohop_cancel_token_free(token);
}

int main(void) {
  engine = check_engine(WHISPER);
  RUN(memory_and_file_give_the_same);
  RUN(formats_are_what_they_are_called);
  RUN(streams_have_events);
  RUN(wrong_arguments_are_errors);
  RUN(what_the_api_refuses_is_a_response);
  RUN(a_token_cancels);
  zerohop_engine_free(engine);
  return check_finish();
}

// Streams an answer through the C library, with koffi: node chat.js LIBZEROHOP.so MODEL.gguf
const koffi = require('koffi');

const [library, path] = process.argv.slice(2);
const lib = koffi.load(library);

koffi.struct('zerohop_str', { data: 'const char *', len: 'size_t' });
const ModelOptions = koffi.struct('zerohop_model_options', {
  struct_size: 'size_t', name: 'zerohop_str', path: 'zerohop_str', more: koffi.array('uint8_t', 240),
});
koffi.struct('zerohop_engine_options', {
  struct_size: 'size_t', models: 'zerohop_model_options *', model_count: 'size_t',
  more: koffi.array('uint8_t', 64),
});
const Request = koffi.struct('zerohop_request', {
  struct_size: 'size_t', method: 'zerohop_str', path: 'zerohop_str', content_type: 'zerohop_str',
  headers: 'void *', header_count: 'size_t', body: 'zerohop_str', cancel: 'void *',
});

const modelOptionsInit = lib.func('void zerohop_model_options_init(_Out_ zerohop_model_options *options, size_t size)');
const engineNew = lib.func('int zerohop_engine_new(zerohop_engine_options *options, _Out_ void **out, _Out_ void **error)');
const engineFree = lib.func('void zerohop_engine_free(void *engine)');
const requestInit = lib.func('void zerohop_request_init(_Out_ zerohop_request *request, size_t size)');
const send = lib.func('int zerohop_send(void *engine, zerohop_request *request, _Out_ void **out, _Out_ void **error)');
const next = lib.func('int zerohop_response_next(void *response, _Out_ zerohop_str *event, _Out_ void **error)');
const text = lib.func('zerohop_str zerohop_response_text(void *response)');
const responseFree = lib.func('void zerohop_response_free(void *response)');
const errorMessage = lib.func('const char *zerohop_error_message(void *error)');

const str = (value) => ({ data: value, len: Buffer.byteLength(value) });

// Whether there is more.
function check(status, error) {
  if (status < 0) throw new Error(errorMessage(error[0]));
  return status === 0;
}

function init(fill, type) {
  const options = {};
  fill(options, koffi.sizeof(type));
  return options;
}

async function main() {
  const error = [null];
  const model = { ...init(modelOptionsInit, ModelOptions), name: str('chat'), path: str(path) };
  const options = { struct_size: koffi.sizeof('zerohop_engine_options'), models: model, model_count: 1, more: Array(64).fill(0) };
  const engine = [null];
  check(engineNew(options, engine, error), error);

  const question = { role: 'user', content: 'What is the capital of France? Answer in one sentence.' };
  const body = JSON.stringify({ model: 'chat', stream: true, temperature: 0, messages: [question] });
  const request = { ...init(requestInit, Request), path: str('/v1/chat/completions'), body: str(body) };
  const response = [null];
  check(send(engine[0], request, response, error), error);

  // Calls that wait run on threads of Node's pool, so that its event loop goes on.
  const wait = () => new Promise((resolve, reject) =>
    next.async(response[0], {}, error, (failed, status) => (failed ? reject(failed) : resolve(status))));
  while (check(await wait(), error)) process.stdout.write(text(response[0]).data ?? '');
  process.stdout.write('\n');
  responseFree(response[0]);
  engineFree(engine[0]);
}

main();

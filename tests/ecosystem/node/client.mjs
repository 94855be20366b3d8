// What openai's package for JavaScript gets from `zerohop serve`: node client.mjs URL, with the package
// installed beside it. Prints one JSON object.
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.argv[2], apiKey: process.argv[3], maxRetries: 0 });
const model = 'chat';
const messages = [{ role: 'user', content: 'What is the capital of France? Answer in one sentence.' }];
const request = { model, messages, temperature: 0, max_completion_tokens: 40 };

async function failure(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
}

const answer = await client.chat.completions.create(request);

let streamed = '';
let chunks = 0;
const stream = await client.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } });
let usage = null;
for await (const chunk of stream) {
  chunks += 1;
  streamed += chunk.choices[0]?.delta?.content ?? '';
  usage = chunk.usage ?? usage;
}

// Broken off: the connection is closed, and the server goes on.
const broken = await client.chat.completions.create({ ...request, max_completion_tokens: 2000, stream: true });
for await (const chunk of broken) {
  if (chunk.choices[0]?.delta?.content) break;
}

const schema = {
  type: 'object',
  properties: { city: { type: 'string', enum: ['Paris', 'Rome'] } },
  required: ['city'],
  additionalProperties: false,
};
const structured = await client.chat.completions.create({
  ...request,
  response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } },
});

const tools = [{
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}];
const called = await client.chat.completions.create({
  ...request,
  messages: [{ role: 'user', content: 'What is the weather in Oslo?' }],
  tools,
  tool_choice: 'required',
});

const response = await client.responses.create({ model, input: messages[0].content, temperature: 0, max_output_tokens: 40 });
const types = [];
for await (const event of client.responses.stream({ model, input: 'Hello', max_output_tokens: 5 })) types.push(event.type);

const vectors = await client.embeddings.create({ model: 'vectors', input: ['a cat', 'a kitten', 'a stock'] });
const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
const [cat, kitten, stock] = vectors.data.map((item) => item.embedding);

const models = [];
for await (const listed of client.models.list()) models.push(listed.id);

console.log(JSON.stringify({
  answer: answer.choices[0].message.content,
  requestId: answer._request_id,
  streamed,
  chunks,
  usage,
  structured: JSON.parse(structured.choices[0].message.content),
  call: called.choices[0].message.tool_calls[0].function,
  response: response.output_text,
  types,
  near: dot(cat, kitten),
  far: dot(cat, stock),
  models,
  unknownModel: await failure(() => client.chat.completions.create({ ...request, model: 'other' })),
  badRequest: await failure(() => client.chat.completions.create({ ...request, temperature: 3 })),
  badKey: await failure(() => new OpenAI({ baseURL: client.baseURL, apiKey: 'wrong', maxRetries: 0 }).models.list()),
}));

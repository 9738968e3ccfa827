// What the tests of all clients have in common: where the server is, and what
// they can have done to it. Ream's own tests start them; see TestClients.
import assert from 'node:assert/strict';
import { buildClientSchema, getIntrospectionQuery } from 'graphql';
import WebSocket from 'ws';

export const url = process.env.REAM_SERVER + '/graphql';
export const socketUrl = url.replace('http:', 'ws:');

async function act(path) {
  const answer = await fetch(process.env.REAM_STAGE + path, { method: 'POST' });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

// hold keeps a repository's sync from ending until it is released.
export const hold = (repository) => act(`/hold/${repository}`);
export const release = (repository) => act(`/release/${repository}`);

// restart ends the server, which has no workers, and starts it with some.
export const restart = () => act('/restart');

// ask sends a request as a program does that has no client.
export async function ask(query, variables) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(errors[0].message);
  return data;
}

// introspect returns what the server says of its schema.
export const introspect = () => ask(getIntrospectionQuery());
export const readSchema = async () => buildClientSchema(await introspect());

// socketOptions are those with which graphql-ws comes back after a restart,
// whatever it meets meanwhile.
export const socketOptions = {
  url: socketUrl,
  webSocketImpl: WebSocket,
  retryAttempts: 10_000,
  shouldRetry: () => true,
  retryWait: () => new Promise((resolve) => { setTimeout(resolve, 20); }),
};

// toTheEnd reads a group's frames after one that was read before, with one of its
// two tasks held back, and returns the final one.
export async function toTheEnd(frames, last) {
  for await (const { data, errors } of frames) {
    assert.equal(errors, undefined);
    assert.equal(last.finished, false, 'a frame after the final one');
    assert.ok(data.taskGroup.counts.revision >= last.counts.revision);
    last = data.taskGroup;
    if (last.counts.completed === 1) await release(1);
  }
  return last;
}

// until resolves once the newest of what a client was told fits.
export const until = (told, fits) => new Promise((resolve) => {
  const look = setInterval(() => {
    if (told.length === 0 || !fits(told.at(-1))) return;
    clearInterval(look);
    resolve();
  }, 10);
});

// The reference client of graphql-transport-ws.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ask, hold, restart, socketOptions, toTheEnd } from './stage.js';

const clients = [];
after(() => Promise.all(clients.map((client) => client.dispose())));

// connect returns a client that counts how it fared.
function connect(options = {}) {
  const seen = { opened: 0, closed: [], pings: 0, pongs: [] };
  const client = createClient({
    ...socketOptions,
    lazyCloseTimeout: 500,
    ...options,
    on: {
      opened: () => { seen.opened++; },
      closed: (event) => { seen.closed.push(event.code); },
      ...options.on,
    },
  });
  clients.push(client);
  return { client, seen };
}

// all collects what a subscription gets until it is complete.
async function all(client, query, variables) {
  const results = [];
  for await (const result of client.iterate({ query, variables })) results.push(result);
  return results;
}

test('queries and mutations over the socket', async () => {
  const { client, seen } = connect();
  assert.deepEqual(await all(client, '{ repositories { totalCount } }'), [{ data: { repositories: { totalCount: 2 } } }]);
  const [created] = await all(client, 'mutation($name: String!) { createRemote(input: { name: $name, url: "http://127.0.0.1/PULP_MANIFEST" }) { name hasPassword } }', { name: 'socket' });
  assert.deepEqual(created, { data: { createRemote: { name: 'socket', hasPassword: false } } });
  const [taken] = await all(client, 'mutation { createRemote(input: { name: "socket", url: "http://127.0.0.1/PULP_MANIFEST" }) { name } }');
  assert.equal(taken.data, null);
  assert.equal(taken.errors[0].extensions.code, 'CONFLICT');
  assert.deepEqual(seen, { opened: 1, closed: [], pings: 0, pongs: [] });
});

test('requests that cannot run end with errors, and the socket goes on', async () => {
  const { client, seen } = connect();
  for (const query of ['{', '{ nothing }', 'subscription { nothing }', 'query($id: ID!) { node(id: $id) { id } }']) {
    await assert.rejects(all(client, query), (errors) => Array.isArray(errors) && errors[0].message !== '', query);
  }
  const [unknown] = await all(client, 'subscription { taskGroup(id: "group-99") { id } }');
  assert.equal(unknown.errors[0].extensions.code, 'NOT_FOUND');
  assert.equal((await all(client, '{ __typename }')).length, 1);
  assert.deepEqual(seen.closed, []);
});

test('the client pings', async () => {
  let answered;
  const pong = new Promise((resolve) => { answered = resolve; });
  const { client } = connect({ lazy: false, keepAlive: 10, on: { pong: (received, payload) => { if (received) answered(payload); } } });
  assert.equal(await pong, undefined);
  await client.dispose();
});

test('a subscription that the client completes', async () => {
  const { client, seen } = connect();
  const frames = client.iterate({ query: 'subscription { queue { counts { total } } }' });
  assert.equal((await frames.next()).done, false);
  await frames.return();
  assert.equal((await all(client, '{ __typename }')).length, 1);
  assert.deepEqual(seen.closed, []);
});

for (const [name, code, options, act] of [
  ['the same id twice', 4409, { generateID: () => 'one' }, (client) => Promise.all([
    all(client, 'subscription { queue { counts { total } } }'),
    all(client, 'subscription { queue { counts { total } } }'),
  ])],
  ['no JSON', 4400, { jsonMessageReplacer: () => undefined }, (client) => all(client, '{ __typename }')],
  ['no protocol', 4406, { webSocketImpl: class extends WebSocket { constructor(address) { super(address); } } }, (client) => all(client, '{ __typename }')],
]) {
  test(`${name} is fatal`, async () => {
    const { client } = connect({ ...options, shouldRetry: undefined, retryAttempts: 0 });
    await assert.rejects(act(client), (closed) => { assert.equal(closed.code, code, closed); return true; });
  });
}

test('a client comes back after a restart, and gets the final frame', async () => {
  const { client, seen } = connect();
  await hold(1);
  const { sync } = await ask('mutation { sync(input: { repositories: { all: true } }) { ... on TaskGroup { id } } }');
  const frames = client.iterate({
    query: 'subscription($id: ID!) { taskGroup(id: $id) { state finished counts { waiting completed total revision } } }',
    variables: { id: sync.id },
  });
  const first = (await frames.next()).value.data.taskGroup;
  assert.deepEqual(first, { state: 'WAITING', finished: false, counts: { ...first.counts, waiting: 2, completed: 0, total: 2 } });

  await restart();
  const last = await toTheEnd(frames, first);
  assert.deepEqual([last.state, last.counts.completed], ['COMPLETED', 2]);
  assert.equal(seen.closed[0], 1012);
  assert.ok(seen.opened >= 2);
});

// The reference client of GraphQL over server-sent events, with a connection
// for each operation.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createClient } from 'graphql-sse';
import { ask, hold, restart, toTheEnd, url } from './stage.js';

const client = createClient({
  url,
  retryAttempts: 10_000,
  retry: () => new Promise((resolve) => { setTimeout(resolve, 20); }),
});
after(() => client.dispose());

// all collects what an operation gets until it is complete.
async function all(query, variables) {
  const results = [];
  for await (const result of client.iterate({ query, variables })) results.push(result);
  return results;
}

test('queries, mutations and errors', async () => {
  assert.deepEqual(await all('{ repositories { totalCount } }'), [{ data: { repositories: { totalCount: 2 } } }]);
  const [created] = await all('mutation($name: String!) { createRemote(input: { name: $name, url: "http://127.0.0.1/PULP_MANIFEST" }) { name } }', { name: 'events' });
  assert.deepEqual(created, { data: { createRemote: { name: 'events' } } });
  for (const query of ['{', '{ nothing }', 'subscription { taskGroup(id: "group-99") { id } }']) {
    const [{ errors }, ...more] = await all(query);
    assert.ok(errors[0].message, query);
    assert.deepEqual(more, []);
  }
});

test('a subscription that the client ends', async () => {
  const frames = client.iterate({ query: 'subscription { queue { counts { total } } }' });
  assert.deepEqual((await frames.next()).value, { data: { queue: { counts: { total: 0 } } } });
  await frames.return();
});

test('a restart, and the final frame', async () => {
  await hold(1);
  const { sync } = await ask('mutation { sync(input: { repositories: { all: true } }) { ... on TaskGroup { id } } }');
  const frames = client.iterate({
    query: 'subscription($id: ID!) { taskGroup(id: $id) { state finished counts { completed revision } } }',
    variables: { id: sync.id },
  });
  const first = (await frames.next()).value.data.taskGroup;
  assert.deepEqual([first.state, first.finished], ['WAITING', false]);
  await restart();
  const last = await toTheEnd(frames, first);
  assert.deepEqual([last.state, last.counts.completed], ['COMPLETED', 2]);
});

// urql with its normalized cache: subscriptions over a WebSocket, and as
// server-sent events.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Client, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { createClient as createEvents } from 'graphql-sse';
import { createClient as createSocket } from 'graphql-ws';
import { hold, introspect, release, restart, socketOptions, until, url } from './stage.js';

const schema = await introspect();
const socket = createSocket(socketOptions);
const events = createEvents({ url, retryAttempts: 10_000, retry: () => new Promise((resolve) => { setTimeout(resolve, 20); }) });
after(() => Promise.all([socket.dispose(), events.dispose()]));

// connect returns a client, and counts what it asks by POST.
function connect(transport) {
  const seen = { asked: 0 };
  const client = new Client({
    url,
    preferGetMethod: false,
    fetch: (...request) => { seen.asked++; return fetch(...request); },
    exchanges: [
      cacheExchange({
        schema,
        keys: { StateCounts: () => null, Progress: () => null, TaskConnection: () => null },
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (request) => ({
          subscribe: (sink) => ({ unsubscribe: transport.subscribe({ query: request.query, variables: request.variables }, sink) }),
        }),
      }),
    ],
  });
  return { client, seen };
}

const fields = gql`
  fragment Overview on Work {
    id
    state
    finished
    counts { waiting completed total revision }
  }
`;
const sync = gql`
  mutation { sync(input: { repositories: { all: true } }) {
    __typename
    ...Overview
    ... on Task { kind }
    ... on TaskGroup { tasks(first: 10) { nodes { id state } } }
  } }
  ${fields}
`;
const query = gql`query($id: ID!) { taskGroup(id: $id) { ...Overview } } ${fields}`;
const follow = gql`subscription($id: ID!) { taskOrGroup(id: $id) { ...Overview } } ${fields}`;

// run syncs everything and follows it: what is watched is asked for once, and
// the subscription alone tells it how the work goes.
async function run(transport, between) {
  const { client, seen } = connect(transport);
  await hold(1);
  const answer = await client.mutation(sync, {}).toPromise();
  assert.equal(answer.error, undefined);
  const group = answer.data.sync;
  assert.deepEqual([group.__typename, group.tasks.nodes.length, group.kind], ['TaskGroup', 2, undefined]);

  const watched = [];
  const watch = client.query(query, { id: group.id }).subscribe(({ data }) => watched.push(data.taskGroup));
  await until(watched, Boolean);
  const { asked } = seen;
  const frames = [];
  const ends = []; // urql tells of the end by the last frame once more
  const following = client.subscription(follow, { id: group.id }).subscribe(({ data, error, hasNext }) => {
    assert.equal(error, undefined);
    (hasNext ? frames : ends).push(data.taskOrGroup);
  });
  await until(frames, Boolean);
  await between();
  await until(watched, (last) => last.counts.completed === 1);
  await release(1);
  await until(watched, (last) => last.finished);
  await until(ends, (last) => last.finished);
  watch.unsubscribe();
  following.unsubscribe();

  assert.equal(seen.asked, asked, 'the watched query was sent again');
  assert.equal(watched.at(-1).state, 'COMPLETED');
  assert.deepEqual([frames.filter((frame) => frame.finished).length, ends.length], [1, 1]);
  for (let i = 1; i < watched.length; i++) {
    assert.ok(watched[i].counts.revision >= watched[i - 1].counts.revision);
  }
}

test('over a WebSocket, through a restart', () => run(socket, restart));
test('as server-sent events', () => run(events, () => {}));

test('errors have codes', async () => {
  const { client } = connect(socket);
  const { error } = await client.mutation(gql`mutation { cancel(id: "task-99") { __typename } }`, {}).toPromise();
  assert.equal(error.graphQLErrors[0].extensions.code, 'NOT_FOUND');
});

// Apollo Client, as a front end uses it: queries and mutations by POST,
// subscriptions over a WebSocket, and a cache that both keep up to date.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { hold, introspect, release, restart, socketOptions, until, url } from './stage.js';

globalThis.WebSocket ??= WebSocket; // browsers have it

const socket = createClient(socketOptions);
after(() => socket.dispose());

// possibleTypes are what the cache needs to match fragments on interfaces and
// unions, made of introspection as Apollo's documentation says.
const { __schema: schema } = await introspect();
const possibleTypes = Object.fromEntries(schema.types
  .filter((type) => type.possibleTypes)
  .map((type) => [type.name, type.possibleTypes.map((possible) => possible.name)]));

let asked = 0; // requests by POST
const client = new ApolloClient({
  cache: new InMemoryCache({ possibleTypes }),
  link: ApolloLink.split(
    ({ query }) => getMainDefinition(query).operation === 'subscription',
    new GraphQLWsLink(socket),
    new HttpLink({ uri: url, fetch: (...request) => { asked++; return fetch(...request); } }),
  ),
});
after(() => client.stop());

const overview = gql`
  fragment Overview on Work {
    id
    name
    state
    finished
    counts { waiting completed failed total revision }
  }
`;
const sync = gql`
  mutation Sync($repositories: RepositorySelector!) {
    sync(input: { repositories: $repositories }) {
      __typename
      ...Overview
      ... on Task { kind attempt }
      ... on TaskGroup { maxRunning tasks(first: 10) { nodes { id kind state } } }
    }
  }
  ${overview}
`;
const groupQuery = gql`
  query Group($id: ID!) { taskGroup(id: $id) { ...Overview } }
  ${overview}
`;
const follow = gql`
  subscription Follow($id: ID!) { taskOrGroup(id: $id) { ...Overview } }
  ${overview}
`;

// ended resolves with all that a subscription got.
const ended = (observable) => new Promise((resolve, reject) => {
  const all = [];
  observable.subscribe({ next: (result) => all.push(result), error: reject, complete: () => resolve(all) });
});

let group;

test('a union by fragments, either member', async () => {
  await hold(1);
  const one = (await client.mutate({ mutation: sync, variables: { repositories: { names: ['r0'] } } })).data.sync;
  assert.deepEqual([one.__typename, one.kind, one.state, one.counts.total], ['Task', 'repository.sync', 'WAITING', 1]);
  assert.equal(one.tasks, undefined);
  group = (await client.mutate({ mutation: sync, variables: { repositories: { all: true } } })).data.sync;
  assert.deepEqual([group.__typename, group.name, group.state, group.maxRunning], ['TaskGroup', 'sync 2 repositories', 'WAITING', null]);
  assert.deepEqual(group.tasks.nodes.map((task) => task.kind), ['repository.sync', 'repository.sync']);
  assert.equal(group.attempt, undefined);

  const cached = client.cache.extract();
  for (const id of [one.id, ...group.tasks.nodes.map((task) => task.id)]) assert.ok(cached[`Task:${id}`], id);
  assert.equal(cached[`TaskGroup:${group.id}`].state, 'WAITING');
});

test('a restart, and a cache that the subscription keeps up to date', async () => {
  const watched = [];
  const watch = client.watchQuery({ query: groupQuery, variables: { id: group.id } })
    .subscribe(({ data, dataState }) => { if (dataState === 'complete') watched.push(data.taskGroup); });
  await client.query({ query: groupQuery, variables: { id: group.id } });
  const before = asked;

  let opened;
  const first = new Promise((resolve) => { opened = resolve; });
  const closed = [];
  socket.on('closed', (event) => closed.push(event.code));
  const frames = ended({
    subscribe: (observer) => client.subscribe({ query: follow, variables: { id: group.id } }).subscribe({
      ...observer, next: (result) => { opened(); observer.next(result); },
    }),
  });
  await first;
  await restart();
  await until(watched, (last) => last.counts.completed === 1);
  await release(1);
  const results = await frames;
  await until(watched, (last) => last.finished);
  watch.unsubscribe();

  assert.equal(closed[0], 1012);
  assert.equal(asked, before, 'the watched query was sent again');
  assert.deepEqual(results.filter(({ error }) => error), []);
  const finals = results.filter(({ data }) => data.taskOrGroup.finished);
  assert.equal(finals.length, 1);
  assert.equal(results.at(-1), finals[0]);
  assert.deepEqual([watched[0].state, watched.at(-1).state, watched.at(-1).counts.completed], ['WAITING', 'COMPLETED', 2]);
  assert.equal(client.cache.extract()[`TaskGroup:${group.id}`].state, 'COMPLETED');
  for (let i = 1; i < watched.length; i++) {
    assert.ok(watched[i].counts.revision >= watched[i - 1].counts.revision);
  }
});

test('errors have codes, and leave the rest of the data', async () => {
  await assert.rejects(
    client.mutate({ mutation: gql`mutation { cancel(id: "task-99") { __typename } }` }),
    (error) => CombinedGraphQLErrors.is(error) && error.errors[0].extensions.code === 'NOT_FOUND',
  );
  await assert.rejects(client.query({ query: gql`{ nothing }` }), CombinedGraphQLErrors.is);
  const failed = await ended(client.subscribe({ query: follow, variables: { id: 'group-99' } }));
  assert.equal(failed[0].error.errors[0].extensions.code, 'NOT_FOUND');
});

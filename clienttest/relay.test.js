// Relay's compiler reads the schema, and its runtime runs what that makes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { printSchema } from 'graphql';
import compiler from 'relay-compiler';
import runtime from 'relay-runtime';
import { readSchema, url } from './stage.js';

const work = await mkdtemp(join(tmpdir(), 'ream-relay-'));
after(() => rm(work, { recursive: true }));
const artifact = (name) => createRequire(work + '/')(`./made/${name}.graphql.js`);

test('the compiler accepts the schema', async () => {
  const schema = await readSchema();
  await writeFile(join(work, 'schema.graphql'), printSchema(schema));
  await cp(fileURLToPath(new URL('relay', import.meta.url)), join(work, 'src'), { recursive: true });
  await mkdir(join(work, 'made'));
  const scalars = Object.values(schema.getTypeMap()).filter((type) => type.astNode === undefined && 'specifiedByURL' in type);
  await writeFile(join(work, 'relay.config.json'), JSON.stringify({
    src: './src',
    schema: './schema.graphql',
    language: 'javascript',
    artifactDirectory: './made',
    noFutureProofEnums: true,
    eagerEsModules: false, // so that Node requires what is made
    customScalarTypes: Object.fromEntries(scalars.map((type) => [type.name, 'mixed'])),
  }));
  // A schema that is not Relay's kind, or documents that do not fit it, make
  // the compiler fail.
  const { stdout, stderr } = await promisify(execFile)(compiler, ['relay.config.json'], { cwd: work });
  assert.match(stdout + stderr, /Compilation completed/);
});

test('the runtime runs what was compiled', async () => {
  const environment = new runtime.Environment({
    store: new runtime.Store(new runtime.RecordSource()),
    network: runtime.Network.create(async ({ text }, variables) => {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: text, variables }),
      });
      return answer.json();
    }),
  });
  const ask = (name, variables) => runtime.fetchQuery(environment, artifact(name), variables).toPromise();

  const { sync } = await new Promise((resolve, reject) => {
    runtime.commitMutation(environment, {
      mutation: artifact('documentsSyncMutation'),
      variables: { input: { repositories: { all: true } } },
      onCompleted: (data, errors) => (errors ? reject(errors) : resolve(data)),
      onError: reject,
    });
  });
  assert.deepEqual([sync.__typename, sync.counts.total], ['TaskGroup', 2]);

  const { repositories } = await ask('documentsRepositoriesQuery', {});
  assert.deepEqual(repositories.edges.map(({ node }) => node.name), ['r0', 'r1']);

  // A fragment of a list, whose next page is asked for by the group's id.
  await ask('documentsGroupQuery', { id: sync.id });
  const read = () => {
    const operation = runtime.createOperationDescriptor(runtime.getRequest(artifact('documentsGroupQuery')), { id: sync.id });
    const { data } = environment.lookup(operation.fragment);
    return environment.lookup(runtime.getSingularSelector(runtime.getFragment(artifact('documents_tasks')), data.taskGroup)).data.tasks;
  };
  const page = read();
  assert.deepEqual([page.edges.length, page.pageInfo.hasNextPage], [1, true]);
  await ask('documentsTasksPaginationQuery', { id: sync.id, count: 1, cursor: page.pageInfo.endCursor });
  const more = read();
  assert.deepEqual([more.edges.length, more.pageInfo.hasNextPage], [2, false]);

  // A fragment of a node, which is asked for again by its id alone.
  const { node } = await ask('documentsRepositoryRefetchQuery', { id: repositories.edges[0].node.id });
  assert.ok(node);
});

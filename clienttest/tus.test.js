// Uploads with the client of the people who wrote the protocol.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Upload } from 'tus-js-client';
import { ask, restart } from './stage.js';

const endpoint = process.env.REAM_SERVER + '/api/v1/uploads';
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

// send uploads bytes, and resolves with the upload once all have come.
const send = (bytes, options) => new Promise((resolve, reject) => {
  const upload = new Upload(bytes, {
    endpoint,
    retryDelays: Array(600).fill(100),
    onSuccess: () => resolve(upload),
    onError: reject,
    ...options,
  });
  upload.start();
});

const idOf = (upload) => upload.url.split('/').at(-1);

test('uploads go on after the server was restarted, and come into one version', async () => {
  const large = randomBytes(5 << 20), small = randomBytes(1000);
  let restarting;
  const first = await send(large, {
    chunkSize: 1 << 20,
    metadata: { filename: 'large.bin', sha256: digest(large) },
    onChunkComplete: (size, accepted) => {
      if (accepted >= 2 << 20) restarting ??= restart();
    },
  });
  await restarting;
  const second = await send(small, { uploadDataDuringCreation: true, metadata: { filename: 'small.bin' } });
  const { uploads } = await ask('{ uploads { nodes { id name size received sha256 complete } } }');
  assert.deepEqual(uploads.nodes, [
    { id: idOf(first), name: 'large.bin', size: large.length, received: large.length, sha256: digest(large), complete: true },
    { id: idOf(second), name: 'small.bin', size: small.length, received: small.length, sha256: digest(small), complete: true },
  ]);
  const { createRepository } = await ask('mutation { createRepository(input: {name: "own", format: FILE}) { id } }');
  const { uploadFiles } = await ask('mutation($input: UploadFilesInput!) { uploadFiles(input: $input) { id } }', {
    input: { repository: createRepository.id, files: [{ path: 'dir/large.bin', upload: idOf(first) }, { path: 'small.bin', upload: idOf(second) }] },
  });
  const waited = await fetch(`${process.env.REAM_SERVER}/api/v1/tasks/${uploadFiles.id}`, { headers: { prefer: 'wait=60' } });
  assert.equal((await waited.json()).state, 'COMPLETED');
  const { repository } = await ask('{ repository(name: "own") { latestVersion { number units { nodes { path sha256 } } } } }');
  assert.deepEqual(repository.latestVersion, {
    number: 1, units: { nodes: [{ path: 'dir/large.bin', sha256: digest(large) }, { path: 'small.bin', sha256: digest(small) }] },
  });
});

test('an upload that is not what it should be is refused', async () => {
  const bytes = randomBytes(1000);
  await assert.rejects(send(bytes, { retryDelays: null, metadata: { sha256: digest('other bytes') } }), /460/);
});

test('an upload is given up', async () => {
  const upload = await send(randomBytes(10));
  await upload.abort(true);
  const answer = await fetch(upload.url, { method: 'HEAD', headers: { 'tus-resumable': '1.0.0' } });
  assert.equal(answer.status, 404);
});

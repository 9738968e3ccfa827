import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react()],
  html: { cspNonce: 'NONCE' }, // the server puts another one into each answer
  server: { proxy: { '/graphql': { target: 'http://127.0.0.1:8080', ws: true }, '/playground': 'http://127.0.0.1:8080', '/content': 'http://127.0.0.1:8080' } },
  build: {
    outDir: 'built',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'assets/licenses.txt' },
  },
  test: { environment: 'node' },
});

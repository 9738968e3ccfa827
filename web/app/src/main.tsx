import './mantine.css';
import './app.css';

import { ApolloProvider } from '@apollo/client/react';
import { MantineProvider } from '@mantine/core';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { client } from './live/client';
import { Shell } from './shell';
import { theme } from './theme';

// The server lets style sheets in that know the text of this answer.
const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? '';

// A page whose parts are gone was built into a server that has been replaced since.
addEventListener('vite:preloadError', () => location.reload());

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <ApolloProvider client={client}>
        <Shell />
      </ApolloProvider>
    </MantineProvider>
  </StrictMode>,
);

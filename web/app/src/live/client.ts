import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, ServerError } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';

import { backoff, isRefusal } from './retry';
import { credentials, demand, token } from './session';
import { Store } from './store';

/** Whether the server is there: 'lost' after a connection ended, until the next one. */
export const connection = new Store<'connecting' | 'open' | 'lost'>('connecting');

const answerWait = 5_000; // for the answer to a ping

function refused() {
  demand.set({ needed: true, reason: token() ? 'The server does not accept this token: it was mistyped, has expired or was revoked.' : undefined });
}

function openSocket() {
  const url = new URL('/graphql', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  let awaited: ReturnType<typeof setTimeout> | undefined;
  let current: WebSocket | undefined;
  return createClient({
    url: url.href,
    connectionParams: credentials,
    lazyCloseTimeout: 5_000, // pages that follow each other share a connection
    keepAlive: 10_000,
    retryAttempts: Infinity,
    retryWait: (attempt) => new Promise((resolve) => setTimeout(resolve, backoff(attempt, Math.random()))),
    shouldRetry: (event) => !isRefusal(event),
    on: {
      opened: (socket) => { current = socket as WebSocket; },
      connected: (_socket, _payload, wasRetry) => {
        connection.set('open');
        // Subscriptions are sent again by the client; what was asked is asked again here.
        if (wasRetry) void client.reFetchObservableQueries();
      },
      ping: (received) => {
        if (!received) awaited = setTimeout(() => current?.close(4408, 'no answer'), answerWait);
      },
      pong: (received) => {
        if (received) clearTimeout(awaited);
      },
      closed: (event) => {
        clearTimeout(awaited);
        if (isRefusal(event)) refused();
        else if (!isDeliberate(event)) connection.set('lost');
      },
    },
  });
}

/** Whether the pages themselves closed the connection, since nothing is subscribed to. */
function isDeliberate(event: unknown): boolean {
  return (event as CloseEvent)?.code === 1000;
}

const socket = openSocket();

/** Closes the connection, which opens again with the present token. */
export function reconnect() {
  socket.terminate();
}

/** Tells of credentials that are missing or not good, whichever way they were sent. */
const watch = new ErrorLink(({ error }) => {
  const codes = CombinedGraphQLErrors.is(error) ? error.errors.map((e) => e.extensions?.code) : [];
  if (codes.includes('UNAUTHENTICATED') || (ServerError.is(error) && error.statusCode === 401)) refused();
});

const authorize = new SetContextLink((previous) => ({ headers: { ...previous.headers, ...credentials() } }));

export const client = new ApolloClient({
  cache: new InMemoryCache({
    possibleTypes: {
      Work: ['Task', 'TaskGroup'],
      TaskOrGroup: ['Task', 'TaskGroup'],
      CreatedResource: ['RepositoryVersion', 'Publication', 'Distribution'],
    },
    typePolicies: {
      Queue: { merge: true },
      Worker: { fields: { tasks: { merge: false } } },
    },
  }),
  link: ApolloLink.from([
    watch,
    ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      authorize.concat(new HttpLink({ uri: '/graphql' })),
    ),
  ]),
  defaultOptions: {
    watchQuery: { fetchPolicy: 'cache-and-network' },
  },
});

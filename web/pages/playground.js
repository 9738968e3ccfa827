// Starts GraphiQL on the element #playground: queries and mutations by POST,
// subscriptions by graphql-transport-ws, both at the same endpoint.
'use strict';

(async () => {
  const root = document.getElementById('playground');
  window.__webpack_nonce__ = root.dataset.nonce; // of GraphiQL's dialogs, which add a style sheet
  const endpoint = new URL(root.dataset.endpoint, location.href);
  const socket = new URL(endpoint);
  socket.protocol = endpoint.protocol === 'https:' ? 'wss:' : 'ws:';

  const examples = await fetch(root.dataset.examples).then((answer) => answer.ok ? answer.text() : '');
  // Whoever signed in on the pages is known here as well. The headers' editor goes before.
  const token = sessionStorage.getItem('ream.token') ?? localStorage.getItem('ream.token');
  const credentials = token ? { Authorization: `Bearer ${token}` } : {};
  const fetcher = GraphiQL.createFetcher({ url: endpoint.href, subscriptionUrl: socket.href, headers: credentials, wsConnectionParams: credentials });

  ReactDOM.createRoot(root).render(React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: examples,
    defaultEditorToolsVisibility: false,
    shouldPersistHeaders: false,
  }, React.createElement(GraphiQL.Logo, null, root.dataset.reference
    ? React.createElement('a', { href: root.dataset.reference, target: '_blank' }, 'Reference')
    : 'Ream')));
})();

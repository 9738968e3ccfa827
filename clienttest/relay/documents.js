// What a front end with Relay would have its compiler read: refetching by Node,
// pages by connections, a union and its interface, and subscriptions.
graphql`
  fragment documents_repository on Repository @refetchable(queryName: "documentsRepositoryRefetchQuery") {
    id
    name
    latestVersion { number unitCount }
  }
`;

graphql`
  fragment documents_tasks on TaskGroup
  @argumentDefinitions(count: { type: "Int", defaultValue: 1 }, cursor: { type: "String" })
  @refetchable(queryName: "documentsTasksPaginationQuery") {
    tasks(first: $count, after: $cursor) @connection(key: "documents_tasks") {
      edges { node { id state kind } }
    }
  }
`;

graphql`
  query documentsRepositoriesQuery {
    repositories(first: 10) @connection(key: "documents_repositories") {
      edges { node { id name ...documents_repository } }
    }
  }
`;

graphql`
  query documentsGroupQuery($id: ID!) {
    taskGroup(id: $id) { id ...documents_tasks }
  }
`;

graphql`
  mutation documentsSyncMutation($input: SyncInput!) {
    sync(input: $input) {
      __typename
      ... on Work { id name state finished counts { completed total revision } }
      ... on Task { kind }
      ... on TaskGroup { id }
    }
  }
`;

graphql`
  subscription documentsFollowSubscription($id: ID!) {
    taskOrGroup(id: $id) { ... on Work { id state finished counts { completed total revision } } }
  }
`;

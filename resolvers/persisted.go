package resolvers

// persistedQuery is the extension by which clients name a document by its hash.
const persistedQuery = "persistedQuery"

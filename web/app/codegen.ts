import type { CodegenConfig } from '@graphql-codegen/cli';

// Types and documents come from the schema of the server and from the
// operations beside the pages that use them.
const config: CodegenConfig = {
  schema: ['../../schema.graphqls', '../../graph/!(*.golden).graphqls'],
  documents: 'src/**/*.graphql',
  generates: {
    'src/api.gen.ts': {
      plugins: ['typescript-operations', 'typed-document-node'],
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        nonOptionalTypename: true,
        printFieldsOnNewLines: true,
        optimizeDocumentNode: true,
        scalars: { Time: 'string', Int64: 'number', SHA256: 'string', Secret: 'string' },
        defaultScalarType: 'unknown',
      },
    },
  },
};

export default config;

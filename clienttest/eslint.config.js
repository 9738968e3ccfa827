// The lint of the schema, run from the root of the source tree. Why these rules
// and not the others: docs/decisions/2026-11-25-clients.md.
import graphql from '@graphql-eslint/eslint-plugin';

const recommended = graphql.configs['flat/schema-recommended'].rules;
const relay = graphql.configs['flat/schema-relay'].rules;

export default [{
  files: ['schema.graphqls', 'graph/*.graphqls'],
  ignores: ['graph/schema.golden.graphqls'],
  plugins: { '@graphql-eslint': graphql },
  linterOptions: { reportUnusedDisableDirectives: 'error' },
  languageOptions: {
    parser: graphql.parser,
    parserOptions: { graphQLConfig: { schema: ['schema.graphqls', 'graph/!(schema.golden).graphqls'] } },
  },
  rules: {
    ...recommended,
    ...relay,
    '@graphql-eslint/require-description': ['error', {
      types: true,
      rootField: true,
      DirectiveDefinition: true,
      EnumValueDefinition: true,
      FieldDefinition: true,
      InputValueDefinition: true,
    }],
    '@graphql-eslint/description-style': ['error', { style: 'inline' }],
    '@graphql-eslint/strict-id-in-types': 'off',
    '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
    '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
    '@graphql-eslint/no-scalar-result-type-on-mutation': 'error',
    '@graphql-eslint/require-nullable-fields-with-oneof': 'error',
    '@graphql-eslint/require-deprecation-date': 'error',
  },
}];

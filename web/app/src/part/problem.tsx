import { CombinedGraphQLErrors, ServerError } from '@apollo/client';
import { Alert, Button, Text } from '@mantine/core';

/** What an error says to people. */
export function explain(error: unknown): string {
  if (CombinedGraphQLErrors.is(error)) return error.errors.map(({ message }) => message).join('\n');
  if (ServerError.is(error)) return `The server answered with status ${error.statusCode}.`;
  if (error instanceof TypeError) return 'The server cannot be reached.'; // what fetch throws
  return error instanceof Error ? error.message : 'Something went wrong.';
}

/** Whether what was asked for does not exist. */
export function isMissing(error: unknown): boolean {
  return CombinedGraphQLErrors.is(error) && error.errors.some(({ extensions }) => extensions?.code === 'NOT_FOUND');
}

/** What an error says of a field of the input, to be shown beside it; undefined if it is about something else. */
export function fieldProblem(error: unknown, field: string): string | undefined {
  if (!CombinedGraphQLErrors.is(error)) return undefined;
  const message = error.errors.find(({ extensions }) => extensions?.field === field)?.message;
  return message?.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
}

/** What fields do not show of an error. */
export function FormProblem({ error, fields }: { error: unknown; fields: readonly string[] }) {
  if (error === undefined || fields.some((field) => fieldProblem(error, field) !== undefined)) return null;
  return <Problem error={error} />;
}

/** An error, with a way to try again if there is one. */
export function Problem({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  return (
    <Alert color="var(--state-failed)" variant="outline" role="alert" title="This did not work">
      <Text size="sm" className="wrap">{explain(error)}</Text>
      {onRetry && <Button mt="sm" size="xs" variant="default" onClick={onRetry}>Try again</Button>}
    </Alert>
  );
}

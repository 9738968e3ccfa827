import { Button, Checkbox, Code, Paper, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { type SubmitEvent, useState } from 'react';

import { client, reconnect } from '../live/client';
import { demand, keep } from '../live/session';
import { useStore } from '../live/store';

/** Asks for a token. */
export function SignIn() {
  useDocumentTitle('Sign in · Ream');
  const { reason } = useStore(demand);
  const [token, setToken] = useState('');
  const [remember, setRemember] = useState(false);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    keep(token.trim(), remember);
    reconnect();
    demand.set({ needed: false });
    void client.resetStore();
  };
  return (
    <main>
      <Paper withBorder p="lg" radius="md" maw="26rem" mx="auto" mt="10vh">
        <form onSubmit={submit}>
          <Stack>
            <Title order={1} size="h3">Sign in to Ream</Title>
            <PasswordInput label="Token" description="It begins with ream_" value={token} onChange={(event) => setToken(event.currentTarget.value)}
              error={reason} autoComplete="off" required data-autofocus autoFocus />
            <Checkbox label="Keep me signed in on this computer" checked={remember} onChange={(event) => setRemember(event.currentTarget.checked)} />
            <Button type="submit" disabled={token.trim() === ''}>Sign in</Button>
            <Text size="sm" c="dimmed">An administrator makes tokens, on the server with <Code>ream token create</Code>, or on these pages.</Text>
          </Stack>
        </form>
      </Paper>
    </main>
  );
}

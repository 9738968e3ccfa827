import { Group, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';

/** The head of a page: its title, what it is part of, and what can be done. */
export function PageTitle({ title, about, children }: { title: string; about?: ReactNode; children?: ReactNode }) {
  useDocumentTitle(`${title} · Ream`);
  return (
    <Group justify="space-between" align="flex-start" mb="md" gap="xs">
      <div>
        <Title order={1} size="h2" className="wrap">{title}</Title>
        {about && <Text component="div" size="sm" c="dimmed">{about}</Text>}
      </div>
      <Group gap="xs">{children}</Group>
    </Group>
  );
}

import { Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';

/** Stands where a list has nothing, and says what to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Stack gap={4} py="lg" align="center" ta="center">
      <Text fw={600}>{title}</Text>
      {children && <Text component="div" size="sm" c="dimmed" maw="34rem">{children}</Text>}
    </Stack>
  );
}

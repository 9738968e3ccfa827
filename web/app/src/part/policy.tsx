import { Radio, Stack } from '@mantine/core';

import type { Policy } from '../api.gen';

/** Chooses when a remote's bytes are fetched. */
export function PolicyChoice({ value, onChange }: { value: Policy; onChange: (policy: Policy) => void }) {
  return (
    <Radio.Group label="When files are fetched" value={value} onChange={(policy) => onChange(policy as Policy)}>
      <Stack gap="xs" mt="xs">
        <Radio value="IMMEDIATE" label="Immediately" description="A sync fetches every file" />
        <Radio value="ON_DEMAND" label="On demand" description="A sync reads what there is; a file is fetched when a client asks for it first" />
      </Stack>
    </Radio.Group>
  );
}

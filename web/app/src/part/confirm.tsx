import { Button } from '@mantine/core';
import { useState } from 'react';

/** A button for what cannot be undone: it asks once more. */
export function ConfirmButton({ label, question, onConfirm }: { label: string; question: string; onConfirm: () => void }) {
  const [asked, setAsked] = useState(false);
  const click = () => {
    setAsked(!asked);
    if (asked) onConfirm();
  };
  return <Button size="compact-sm" variant="outline" color="var(--state-failed)" onClick={click} onBlur={() => setAsked(false)}>{asked ? question : label}</Button>;
}

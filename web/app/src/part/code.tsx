import { Button } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';

/** A text to copy. */
export function Copyable({ text, label }: { text: string; label: string }) {
  const clipboard = useClipboard();
  return (
    <div className="code">
      <pre tabIndex={0} aria-label={label}>{text}</pre>
      <Button size="compact-xs" variant="default" onClick={() => clipboard.copy(text)} aria-label={`Copy: ${label}`}>{clipboard.copied ? 'Copied' : 'Copy'}</Button>
    </div>
  );
}

import { type SubmitEvent, useState } from 'react';

/** What a form that asks the server is about to do, and what came of it. */
export type Form = {
  busy: boolean;
  error?: unknown;
  submit: (event: SubmitEvent) => void;
};

/** A form that calls act when it is sent, and keeps what goes wrong. */
export function useForm(act: () => Promise<void>): Form {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    act().catch(setError).finally(() => setBusy(false));
  };
  return { busy, error, submit };
}

import type { RemoteSettingsFragment } from '../api.gen';
import { Fact } from './fact';
import { bytes, several } from './text';

/** What a remote is set to. Secrets are not known here. */
export function RemoteFacts({ remote }: { remote: RemoteSettingsFragment }) {
  const credentials = [remote.username && `user ${remote.username}`, remote.hasPassword && 'a password', remote.hasToken && 'a token'].filter(Boolean).join(', ');
  return (
    <dl className="facts">
      <Fact name="Name">{remote.name}</Fact>
      <Fact name="URL">{remote.url}</Fact>
      <Fact name="Bytes are fetched">{remote.policy === 'IMMEDIATE' ? 'during the sync' : 'when somebody asks for them'}</Fact>
      <Fact name="Credentials">{credentials || 'none'}</Fact>
      <Fact name="Limits">{several(remote.connections, 'download')} at once{remote.bytesPerSecond > 0 && `, ${bytes(remote.bytesPerSecond)} a second`}</Fact>
      {!remote.verifyTls && <Fact name="Certificate">any is taken</Fact>}
      {remote.proxyUrl && <Fact name="Proxy">{remote.proxyUrl}</Fact>}
    </dl>
  );
}

import type { Format } from '../api.gen';

/** Something to paste into a terminal or a file, and what it is good for. */
export type Snippet = { title: string; text: string };

/** What clients are told to use what is served at a URL. Where a token is needed, it is the password of any user. */
export function configuration(format: Format, url: string, needsToken: boolean): Snippet[] {
  const base = url.endsWith('/') ? url : `${url}/`;
  const user = needsToken ? ' --user "token:$REAM_TOKEN"' : '';
  const credentials = { title: 'The token for all of them, in ~/.netrc, which curl reads with --netrc', text: `machine ${new URL(base).hostname} login token password $REAM_TOKEN` };
  switch (format) {
    case 'FILE':
      return [
        { title: 'The list of all files', text: `curl${user} ${base}PULP_MANIFEST` },
        { title: 'One of them', text: `curl${user} --remote-name ${base}PATH` },
        needsToken
          ? { title: 'Another Ream that mirrors it, by a remote with this URL and the token', text: `${base}PULP_MANIFEST` }
          : { title: 'Another Ream that mirrors it', text: `ream mirror ${base}PULP_MANIFEST` },
        ...(needsToken ? [credentials] : []),
      ];
  }
}

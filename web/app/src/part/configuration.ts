import type { Format } from '../api.gen';

/** Something to paste into a terminal or a file, and what it is good for. */
export type Snippet = { title: string; text: string };

/** What clients are told to use what is served at a URL. Whoever needs a token gives it as the password. */
export function configuration(format: Format, url: string, demandsToken: boolean): Snippet[] {
  const base = url.endsWith('/') ? url : `${url}/`;
  const user = demandsToken ? ' --user "token:$REAM_TOKEN"' : '';
  switch (format) {
    case 'FILE':
      return [
        { title: 'The list of all files', text: `curl${user} ${base}PULP_MANIFEST` },
        { title: 'One of them', text: `curl${user} --remote-name ${base}PATH` },
        { title: 'Another Ream that mirrors it', text: `ream mirror ${base}PULP_MANIFEST` },
      ];
  }
}

import { type ComponentType, lazy } from 'react';

import type { Role } from './api.gen';
import { Overview } from './page/overview';

/** What a page is given: the id in its address, or an empty text. */
export type PageProps = { id: string };

type Page = ComponentType<PageProps>;

/** The pages by their paths. The server answers these paths alone; web.go lists them. */
export const routes: { path: string; page: Page }[] = [
  { path: '/', page: Overview },
  { path: '/groups/:id', page: lazy(() => import('./page/group')) },
  { path: '/tasks/:id', page: lazy(() => import('./page/task')) },
  { path: '/work', page: lazy(() => import('./page/history')) },
  { path: '/repositories', page: lazy(() => import('./page/repositories')) },
  { path: '/repositories/:id', page: lazy(() => import('./page/repository')) },
  { path: '/remotes', page: lazy(() => import('./page/remotes')) },
  { path: '/mirror', page: lazy(() => import('./page/mirror')) },
  { path: '/schedules', page: lazy(() => import('./page/schedules')) },
  { path: '/workers', page: lazy(() => import('./page/workers')) },
  { path: '/published', page: lazy(() => import('./page/published')) },
  { path: '/published/:id', page: lazy(() => import('./page/distribution')) },
  { path: '/tokens', page: lazy(() => import('./page/tokens')) },
  { path: '/audit', page: lazy(() => import('./page/audit')) },
  { path: '/server', page: lazy(() => import('./page/server')) },
];

/** What the navigation leads to, and which role that needs. */
export const navigation: { path: string; label: string; needs: Role }[] = [
  { path: '/', label: 'Overview', needs: 'READER' },
  { path: '/repositories', label: 'Repositories', needs: 'READER' },
  { path: '/mirror', label: 'Mirror', needs: 'OPERATOR' },
  { path: '/remotes', label: 'Remotes', needs: 'READER' },
  { path: '/published', label: 'Content', needs: 'READER' },
  { path: '/work', label: 'Work', needs: 'READER' },
  { path: '/schedules', label: 'Schedules', needs: 'READER' },
  { path: '/workers', label: 'Workers', needs: 'READER' },
  { path: '/tokens', label: 'Tokens', needs: 'ADMIN' },
  { path: '/audit', label: 'Audit log', needs: 'ADMIN' },
  { path: '/server', label: 'Server', needs: 'READER' },
];

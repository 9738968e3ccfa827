import { type ComponentType, lazy } from 'react';

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
  { path: '/mirror', page: lazy(() => import('./page/mirror')) },
];

/** What the navigation leads to. */
export const navigation: { path: string; label: string }[] = [
  { path: '/', label: 'Overview' },
  { path: '/repositories', label: 'Repositories' },
  { path: '/mirror', label: 'Mirror' },
  { path: '/work', label: 'Work' },
];

import { useQuery } from '@apollo/client/react';

import { type Role, ViewerDocument, type ViewerQuery } from '../api.gen';

const roles: Role[] = ['READER', 'OPERATOR', 'ADMIN'];

/** Whether who has a role may do what needs another one. */
export function allows(role: Role | undefined, needs: Role): boolean {
  return role !== undefined && roles.indexOf(role) >= roles.indexOf(needs);
}

/** Who looks at the pages; undefined until it is known. */
export function useViewer(): ViewerQuery['viewer'] | undefined {
  return useQuery(ViewerDocument, { fetchPolicy: 'cache-first' }).data?.viewer;
}

/** Whether who looks at the pages may do what needs a role: nobody is offered what would be refused. */
export function useMay(needs: Role): boolean {
  return allows(useViewer()?.role, needs);
}

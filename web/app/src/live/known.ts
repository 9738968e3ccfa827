/** How many items the first page of a list has at most. */
export const firstPage = 100;

/** A page of a connection. */
export type ListPage<T> = { nodes: T[]; pageInfo: { hasNextPage: boolean; endCursor?: string | null } };

/** What is known of a list: its items so far, the cursor after them, and whether they are all. */
export type Known<T> = { items: readonly T[]; next?: string; ended: boolean };

/** What is known of a list after its first page was told anew: that page, unless more than it was read. */
export function renewed<T extends { id: string }>({ items, next, ended }: Known<T>, page: ListPage<T>): Known<T> {
  if (items.length <= firstPage) return { items: page.nodes, next: page.pageInfo.endCursor ?? undefined, ended: !page.pageInfo.hasNextPage };
  const byId = new Map(page.nodes.map((item) => [item.id, item]));
  return { items: items.map((item) => byId.get(item.id) ?? item), next, ended };
}

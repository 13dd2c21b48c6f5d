// Binary search.

/** Index of the first item for which `isTrue(item)` holds, given that it holds for all items after it, too. */
export function firstWhere(items, isTrue) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isTrue(items[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

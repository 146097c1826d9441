/** Buys books from the bookstore, and shows how many it got and from whom. */
import { buyBooks, callCounter, portFlag, serve } from "./demo-app.ts";

const calls = callCounter("bookbuyer");
const books = { booksBought: 0, booksBoughtV1: 0, booksBoughtV2: 0 };

await serve("bookbuyer", portFlag(14001), [
  { path: "/", answer: () => ({ body: `books bought: ${books.booksBought}\n` }) },
  { path: "/raw", answer: () => ({ body: { ...books, calls: calls.all() } }) },
  {
    path: "/reset",
    answer: () => ({ body: Object.assign(books, { booksBought: 0, booksBoughtV1: 0, booksBoughtV2: 0 }) }),
  },
]);
await buyBooks("bookbuyer", calls, (seller) => {
  books.booksBought++;
  if (seller === "bookstore-v1") books.booksBoughtV1++;
  if (seller === "bookstore-v2") books.booksBoughtV2++;
});

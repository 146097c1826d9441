/** Takes books from the bookstore with the buyer's requests, under another identity. */
import { buyBooks, callCounter, portFlag, serve } from "./demo-app.ts";

const calls = callCounter("bookthief");
const books = { booksStolen: 0, booksStolenV1: 0, booksStolenV2: 0 };

await serve("bookthief", portFlag(14001), [
  { path: "/", answer: () => ({ body: `books stolen: ${books.booksStolen}\n` }) },
  { path: "/raw", answer: () => ({ body: { ...books, calls: calls.all() } }) },
  {
    path: "/reset",
    answer: () => ({ body: Object.assign(books, { booksStolen: 0, booksStolenV1: 0, booksStolenV2: 0 }) }),
  },
]);
await buyBooks("bookthief", calls, (seller) => {
  books.booksStolen++;
  if (seller === "bookstore-v1") books.booksStolenV1++;
  if (seller === "bookstore-v2") books.booksStolenV2++;
});

// A window of outstanding calls, the plain way an application makes one: so many loops that each await their own call.

export async function lanes(count, width, call) {
  let left = count;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

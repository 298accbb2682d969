// The one place that knows where the package lies: beside this page when published (./pkg), one folder up in the repository (../pkg).

const published = new URL('./pkg/index.js', import.meta.url);
const checkout = new URL('../pkg/index.js', import.meta.url);

/** The folder's name tells which of the two to ask first, so that the usual case leaves no failed request in the log. */
const places = new URL('.', import.meta.url).pathname.endsWith('/www/') ? [checkout, published] : [published, checkout];

export async function loadPackage() {
  const failures = [];
  for (const place of new Set(places.map(String))) {
    try {
      return await import(place);
    } catch (error) {
      failures.push(`${place}: ${error.message}`);
    }
  }
  throw new Error(`The package is not beside this page. ${failures.join('; ')}`);
}

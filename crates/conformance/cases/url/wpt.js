// The rows of `urltestdata.json` and `setters_tests.json`: each says what is expected, so a row is "as expected" or what it is.

const PARTS = ["href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];
const shown = (text) => JSON.stringify(text).slice(0, 120);

env.wpt.url.filter((row) => typeof row === "object").forEach((row, number) => {
  check(`url ${number} ${shown(row.input)} against ${shown(row.base)}`, () => {
    let url;
    try {
      url = row.base === null ? new URL(row.input) : new URL(row.input, row.base);
    } catch (error) {
      return row.failure && error instanceof TypeError ? "as expected" : `throws ${error.name}`;
    }
    if (row.failure) return `is parsed: ${url.href}`;
    const wrong = PARTS.filter((part) => row[part] !== undefined && url[part] !== row[part]);
    return wrong.length === 0 ? "as expected" : wrong.map((part) => [part, url[part]]);
  });
});

for (const [part, rows] of Object.entries(env.wpt.setters)) {
  if (!Array.isArray(rows) || part === "comment") continue;
  rows.forEach((row, number) => {
    check(`${part} ${number} of ${shown(row.href)} becomes ${shown(row.new_value)}`, () => {
      const url = new URL(row.href);
      url[part] = row.new_value;
      const wrong = Object.keys(row.expected).filter((each) => url[each] !== row.expected[each]);
      return wrong.length === 0 ? "as expected" : wrong.map((each) => [each, url[each]]);
    });
  });
}

check("all parts", () => {
  const url = new URL("https://user:pass@example.org:8080/a/b?x=1&y=2#frag");
  const { href, origin, protocol, username, password, host, hostname, port, pathname, search, hash } = url;
  return { href, origin, protocol, username, password, host, hostname, port, pathname, search, hash };
});
check("relative to a base", () => ["../c", "/c", "?q", "#h", "//other/x", ""].map((to) => new URL(to, "http://a/b/d?e#f").href));
check("default port goes", () => new URL("https://x:443/").href);
check("no base throws", () => new URL("/a"));
check("bad port throws", () => new URL("http://x:99999/"));
check("canParse", () => [URL.canParse("http://x"), URL.canParse("/x"), URL.canParse("/x", "http://y")]);
check("parse gives null", () => [URL.parse("nope"), URL.parse("http://x/a").href]);
check("punycode", () => new URL("http://bücher.example/").host);
check("ipv6", () => new URL("http://[0:0::1]:80/").host);
check("ipv4 forms", () => ["http://127.1/", "http://0x7f000001/", "http://2130706433/"].map((text) => new URL(text).host));
check("percent", () => new URL("http://x/a b%20c/é?q=a b&é#f g").href);
check("dot segments", () => new URL("http://x/a/./b/../../c/%2e%2e/d").pathname);
check("backslash", () => new URL("http:\\\\x\\a").href);
check("opaque path", () => [new URL("mailto:a@b").pathname, new URL("mailto:a@b").origin, new URL("data:,x y").href]);
check("file", () => [new URL("file:///a/b").origin, new URL("file:///C:/a/../b").href, new URL("file:a", "file:///x/y").href]);
check("blob origin", () => new URL("blob:https://a/b").origin);
check("setters", () => {
  const url = new URL("http://x/a");
  url.protocol = "https"; url.username = "ü"; url.password = "p@"; url.port = "99"; url.pathname = "/ü b"; url.search = "a b"; url.hash = "c d"; url.hostname = "y";
  return url.href;
});
check("a setter that does not fit is ignored", () => {
  const url = new URL("http://x/a");
  url.port = "abc"; url.protocol = "mailto"; url.host = "";
  return url.href;
});
check("href setter throws", () => { new URL("http://x").href = "nope"; });
check("toString and JSON", () => [String(new URL("http://x")), JSON.stringify({ u: new URL("http://x") })]);
check("searchParams is live", () => {
  const url = new URL("http://x/?a=1");
  url.searchParams.append("b", "ü &");
  const middle = url.href;
  url.search = "?c=3";
  return [middle, [...url.searchParams], url.searchParams === url.searchParams];
});
check("deleting all parameters", () => { const url = new URL("http://x/?a=1"); url.searchParams.delete("a"); return url.href; });
check("tag", () => [Object.prototype.toString.call(new URL("http://x")), URL.length, URL.name]);
check("called without new", () => URL("http://x"));
check("no arguments", () => new URL());
check("from an object", () => new URL({ toString: () => "http://o/" }).href);
check("createObjectURL", () => { const url = URL.createObjectURL(new Blob(["x"])); URL.revokeObjectURL(url); return url.startsWith("blob:"); });

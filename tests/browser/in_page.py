"""What the tests run inside a page."""

from __future__ import annotations

# What the page's policy forbids is told on the console too, but not what exactly.
WATCH_POLICY = """
addEventListener("securitypolicyviolation", event => console.error(
  `policy: ${event.effectiveDirective} forbids ${event.blockedURI} ${event.sample} ${event.sourceFile ?? ""}`
), true)
"""

# A line for each rule that is broken, with the first few elements that break it.
RUN_AXE = """async options => {
  const told = node => `${node.target.join(" ")} (${
    [...node.any, ...node.all, ...node.none].map(check => check.message).join("; ")})`
  const { violations } = await axe.run(document, options)
  return violations.map(found =>
    `${found.id}: ${found.help}: ${found.nodes.slice(0, 4).map(told).join(" | ")}`)
}"""

# The addresses of all scripts and styles, those fetched by other scripts too.
SCRIPTS_AND_STYLES = """() => {
  const named = [...document.querySelectorAll("script[src], link[rel=stylesheet]")]
  const all = [...named.map(one => one.src || one.href),
    ...performance.getEntriesByType("resource").map(one => one.name)]
  return [...new Set(all.filter(url => /[.](m?js|css)($|[?])/.test(url)))]
}"""

INLINE = (
    """() => [...document.querySelectorAll("script:not([src]), style")].map(one => one.textContent).join()"""
)

# What stands out at the right, when anything makes the page wider than the screen; else "".
SIDEWAYS = """() => {
  const width = document.documentElement.clientWidth
  if (document.documentElement.scrollWidth <= width) return ""
  const wide = [...document.querySelectorAll("body *")]
    .filter(one => one.getBoundingClientRect().right > width + 0.5)
  const name = one => [one.tagName.toLowerCase(), ...one.classList].join(".")
  return wide.slice(0, 5).map(name).join(", ") || "?"
}"""

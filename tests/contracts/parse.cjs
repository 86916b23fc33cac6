// Prints what the official AsyncAPI parser has against a document (stdin), one problem a line; none means valid.
const { Parser } = require("@asyncapi/parser");
const ERROR = 0;

async function main() {
  const text = require("fs").readFileSync(0, "utf8");
  const { document, diagnostics } = await new Parser().parse(text);
  const errors = diagnostics.filter((problem) => problem.severity === ERROR);
  errors.forEach((problem) => console.log(`${problem.path.join(".")}: ${problem.message}`));
  console.error(JSON.stringify({ warnings: diagnostics.length - errors.length, parsed: document !== undefined }));
}

main();

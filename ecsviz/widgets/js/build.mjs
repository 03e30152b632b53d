// Makes one bundle of each entry in the "exports" of package.json: node build.mjs OUTPUT_FOLDER CHECKSUM
//
// A widget's bundle is saved into every notebook that shows it, so it holds our own code only;
// libraries, and what is of use only with one, are sent by the kernel to the page that needs them,
// once.

import { build } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const [output, checksum] = process.argv.slice(2);
const here = import.meta.dirname;

/** The names and licences of the packages that went into a bundle. */
function notices(inputs) {
  const packages = new Set();
  for (const path of Object.keys(inputs)) {
    const found = path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (found) packages.add(found[1]);
  }
  return [...packages].sort().map((name) => {
    const folder = join(here, "node_modules", name);
    const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} says nothing about its licence`);
    const text = readFileSync(join(folder, file), "utf8").trim().replaceAll("*/", "* /");
    return `/*! ${name} ${about.version}\n\n${text}\n*/\n`;
  });
}

const { exports: entries } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
mkdirSync(output, { recursive: true });
for (const [name, source] of Object.entries(entries)) {
  const result = await build({
    absWorkingDir: here,
    entryPoints: [{ in: source, out: name }],
    outdir: output,
    write: false,
    bundle: true,
    format: "esm",
    minify: true,
    define: { MADE: JSON.stringify(checksum.slice(0, 12)) },
    target: "es2022",
    charset: "utf8",
    legalComments: "eof",
    metafile: true,
    logLevel: "warning",
  });
  const told = notices(result.metafile.inputs);
  for (const file of result.outputFiles) {
    const notice = file.path.endsWith(".js") ? told.join("") : "";
    writeFileSync(join(output, basename(file.path)), notice + file.text);
  }
}

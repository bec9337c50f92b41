// Reads a JSON list of Mermaid sources, and writes a JSON list of SVG documents. Run by testkit/site/diagrams.py.
import { readFileSync } from 'node:fs'
import { renderMermaidSVG } from 'beautiful-mermaid'

const sources = JSON.parse(readFileSync(0, 'utf8'))
process.stdout.write(JSON.stringify(sources.map((source) => renderMermaidSVG(source, { transparent: true }))))

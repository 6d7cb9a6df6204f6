// Command growth draws what BenchmarkGrowth of package ratchet measured, from its output on standard input: the picture
// docs/growth.svg, on standard output. `.ci/growth` runs both.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	log.SetFlags(0)
	panels, err := parse(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.Write(draw(panels)); err != nil {
		log.Fatal(err)
	}
}

// panel is what was measured in one direction of growth.
type panel struct {
	name   string
	points []point
}

// point is what a message costs at a size.
type point struct {
	size       int
	cpu, bytes float64 // in ns, and handed to the store
}

var line = regexp.MustCompile(`^BenchmarkGrowth/(\w+)=(\d+)-?\d*\s+\d+\s+(.*)`)

// parse reads the output of a benchmark. Directions and sizes come in the order in which they are drawn.
func parse(r io.Reader) (panels []panel, err error) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		m := line.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		var p point
		if p.size, err = strconv.Atoi(m[2]); err != nil {
			return nil, err
		}
		for fields := strings.Fields(m[3]); len(fields) >= 2; fields = fields[2:] {
			value, err := strconv.ParseFloat(fields[0], 64)
			if err != nil {
				return nil, err
			}
			switch fields[1] {
			case "cpu-ns/message":
				p.cpu = value
			case "B/message":
				p.bytes = value
			}
		}
		if p.size <= 0 || p.cpu <= 0 || p.bytes <= 0 {
			return nil, fmt.Errorf("growth: incomplete line %q", lines.Text())
		}
		if len(panels) == 0 || panels[len(panels)-1].name != m[1] {
			panels = append(panels, panel{name: m[1]})
		}
		at := &panels[len(panels)-1]
		at.points = append(at.points, p)
	}
	if len(panels) == 0 {
		return nil, fmt.Errorf("growth: no line of BenchmarkGrowth")
	}
	return panels, nil
}

// Sizes of the picture in pixels. A panel shows up to `most` times the cost of its smallest size.
const (
	width, height = 190, 150
	left, top     = 44, 70
	gap           = 30
	most          = 6.0
)

const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" font-family="Helvetica, Arial, sans-serif" font-size="13" role="img" aria-labelledby="title desc">
  <title id="title">What a message costs as a space grows</title>
  <desc id="desc">CPU time and bytes written for a received message of 1 KiB, each in units of its value at the smallest size, for growing numbers of members, epochs, epochs where each message brings a commit, commits from one epoch, skipped messages, orphans and messages read before.</desc>
  <style>
    .page { fill: #ffffff; } text { fill: #1f2328; } .small { font-size: 11px; fill: #59636e; } .head { font-weight: bold; }
    .grid { stroke: #d1d9e0; } .cpu { stroke: #0969da; fill: #0969da; } .bytes { stroke: #bc4c00; fill: #bc4c00; } polyline { stroke-width: 2; fill: none !important; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; } text { fill: #e6edf3; } .small { fill: #9198a1; } .grid { stroke: #3d444d; }
      .cpu { stroke: #4493f8; fill: #4493f8; } .bytes { stroke: #f0883e; fill: #f0883e; }
    }
  </style>
  <rect class="page" width="100%%" height="100%%"/>
  <text x="%[3]d" y="26" class="head">A received message of 1 KiB, in units of its cost at the smallest size</text>
  <line class="cpu" x1="%[3]d" y1="42" x2="72" y2="42" stroke-width="2"/><text x="78" y="46">CPU time</text>
  <line class="bytes" x1="160" y1="42" x2="188" y2="42" stroke-width="2"/><text x="194" y="46">bytes handed to the store besides the message</text>
`

// draw returns the picture.
func draw(panels []panel) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, head, left+len(panels)*(width+gap), top+height+40, left)
	for n, p := range panels {
		p.draw(&b, float64(left+n*(width+gap)))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// draw draws one panel, with sizes on a logarithmic scale.
func (p panel) draw(b *bytes.Buffer, x float64) {
	first, last := p.points[0], p.points[len(p.points)-1]
	across := func(size int) float64 {
		if first.size == last.size {
			return x
		}
		return x + width*math.Log(float64(size)/float64(first.size))/math.Log(float64(last.size)/float64(first.size))
	}
	up := func(ratio float64) float64 { return top + height*(1-min(ratio, most)/most) }
	for ratio := 0.0; ratio <= most; ratio++ {
		fmt.Fprintf(b, "  <line class=\"grid\" x1=\"%.0f\" y1=\"%.1f\" x2=\"%.0f\" y2=\"%.1f\"/>", x, up(ratio), x+width, up(ratio))
		fmt.Fprintf(b, "<text class=\"small\" x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%.0f</text>\n", x-5, up(ratio)+4, ratio)
	}
	for _, curve := range []struct {
		class string
		of    func(point) float64
	}{
		{"cpu", func(p point) float64 { return p.cpu / first.cpu }},
		{"bytes", func(p point) float64 { return p.bytes / first.bytes }},
	} {
		var at []string
		for _, pt := range p.points {
			at = append(at, fmt.Sprintf("%.1f,%.1f", across(pt.size), up(curve.of(pt))))
		}
		fmt.Fprintf(b, "  <polyline class=%q points=%q/>\n", curve.class, strings.Join(at, " "))
	}
	anchors := []string{"start", "middle", "end"}
	for k, pt := range p.points {
		if k+1 < len(p.points) && across(p.points[k+1].size)-across(pt.size) < left {
			continue // no room for both
		}
		anchor := anchors[min(1, k)]
		if k == len(p.points)-1 {
			anchor = anchors[2]
		}
		fmt.Fprintf(b, "  <text class=\"small\" x=\"%.1f\" y=\"%d\" text-anchor=%q>%d</text>\n", across(pt.size), top+height+15, anchor, pt.size)
	}
	fmt.Fprintf(b, "  <text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x+width/2, top+height+32, p.name)
}

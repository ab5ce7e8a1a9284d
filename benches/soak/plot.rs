//! A chart of a run: one strip per figure, over time. Pure.

/// One figure over time.
pub struct Strip<'a> {
    /// Its name, with the unit.
    pub name: &'a str,
    /// Minutes since the start, and the value.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 90.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 40.0;

/// All strips below each other, as SVG. Each begins at zero, so that constant values look constant.
pub fn svg(title: &str, strips: &[Strip<'_>]) -> String {
    let end = strips.iter().flat_map(|s| s.points.iter().map(|p| p.0)).fold(1.0, f64::max);
    let height = TOP + HEIGHT * strips.len() as f64 + 30.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"10\" y=\"20\" \
         font-size=\"14\">{}</text>\n",
        LEFT + WIDTH + RIGHT,
        escaped(title)
    );
    for (at, strip) in strips.iter().enumerate() {
        let top = TOP + HEIGHT * at as f64;
        let most = strip.points.iter().map(|p| p.1).fold(1.0, f64::max) * 1.15;
        let floor = top + HEIGHT - 12.0;
        let x = |minutes: f64| LEFT + minutes / end * WIDTH;
        let y = |value: f64| floor - value / most * (HEIGHT - 24.0);
        let line: Vec<String> =
            strip.points.iter().map(|(m, v)| format!("{:.1},{:.1}", x(*m), y(*v))).collect();
        let last = strip.points.last().map_or(0.0, |p| p.1);
        out.push_str(&format!(
            "<text x=\"10\" y=\"{:.1}\">{}</text>\n<line x1=\"{LEFT}\" y1=\"{floor:.1}\" x2=\"{:.1}\" y2=\"{floor:.1}\" \
             stroke=\"#bbb\"/>\n<polyline fill=\"none\" stroke=\"#1769aa\" stroke-width=\"1.5\" points=\"{}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
            top + HEIGHT / 2.0,
            escaped(strip.name),
            LEFT + WIDTH,
            line.join(" "),
            LEFT + WIDTH + 6.0,
            y(last) + 4.0,
            short(last),
        ));
    }
    let foot = TOP + HEIGHT * strips.len() as f64 + 10.0;
    for part in 0..=4 {
        let minutes = end * f64::from(part) / 4.0;
        let x = LEFT + minutes / end * WIDTH;
        out.push_str(&format!(
            "<text x=\"{x:.1}\" y=\"{foot:.1}\" text-anchor=\"middle\">{minutes:.0} min</text>\n"
        ));
    }
    out + "</svg>\n"
}

fn short(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

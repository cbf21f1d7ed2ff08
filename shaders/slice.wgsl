// Draws one slice into one pane: grey, contours, or colour. Twins in Rust, held together by a test:
// `WindowLevel::apply` (grey_from_hu) and `preprocess::sobel_in_range` (edge_in_range).
//
// Pixel coordinates: (0, 0) is the top left corner of the first pixel, its centre is (0.5, 0.5).

struct Pane {
    // Pixel coordinates of the pane's top left corner, and how many pixels the pane spans.
    origin_px: vec2<f32>,
    extent_px: vec2<f32>,
    // Columns and rows of the slice.
    size_px: vec2<f32>,
    // Pixels of the slice under one pixel of the screen.
    step_px: vec2<f32>,
    // Centre and width in HU.
    window_hu: vec2<f32>,
    // Lower and upper end in HU.
    fat_hu: vec2<f32>,
    bone_hu: vec2<f32>,
    // How much of the colour is there (0 … 1), and how bright the grey is where it is not.
    color_share: f32,
    grey_gain: f32,
    fat_rgb: vec4<f32>,
    bone_rgb: vec4<f32>,
    // 0 grey, 1 contours, 2 colour.
    mode: u32,
    // 0 nearest pixel, 1 interpolated.
    is_smooth: u32,
    // Samples along each side of a screen pixel: more than one where the slice is shrunk.
    taps: u32,
    // 1: white is low (MONOCHROME1); 2: the target stores linear light.
    flags: u32,
}

@group(0) @binding(0) var<uniform> pane: Pane;
@group(0) @binding(1) var values_hu: texture_2d<i32>;
@group(0) @binding(2) var colors: texture_2d<f32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) uv: vec2<f32>,
}

// One triangle that covers the viewport.
@vertex
fn vertex_main(@builtin(vertex_index) index: u32) -> Corner {
    let uv = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    var corner: Corner;
    corner.uv = uv;
    corner.position = vec4<f32>(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0);
    return corner;
}

fn last_pixel() -> vec2<i32> {
    return vec2<i32>(pane.size_px) - vec2<i32>(1, 1);
}

fn hu_at(pixel: vec2<i32>) -> f32 {
    return f32(textureLoad(values_hu, clamp(pixel, vec2<i32>(0, 0), last_pixel()), 0).x);
}

// Twin of `WindowLevel::apply`: LINEAR of DICOM PS3.3 C.11.2.1.2.1.
fn grey_from_hu(value_hu: f32) -> f32 {
    let center = pane.window_hu.x - 0.5;
    let width = pane.window_hu.y - 1.0;
    if value_hu <= center - width / 2.0 {
        return 0.0;
    }
    if value_hu > center + width / 2.0 {
        return 1.0;
    }
    return clamp((value_hu - center) / width + 0.5, 0.0, 1.0);
}

// The border is mirrored at the edge pixel.
fn mirrored(index: i32, last: i32) -> i32 {
    let inside = select(index, -index, index < 0);
    return clamp(select(inside, 2 * last - inside, inside > last), 0, last);
}

// HU at a pixel that may lie one beyond the border, in 0 … 1 of the fat range (x) and of the bone range (y).
fn units_at(pixel: vec2<i32>) -> vec2<f32> {
    let last = last_pixel();
    let value_hu = hu_at(vec2<i32>(mirrored(pixel.x, last.x), mirrored(pixel.y, last.y)));
    let low = vec2<f32>(pane.fat_hu.x, pane.bone_hu.x);
    let high = vec2<f32>(pane.fat_hu.y, pane.bone_hu.y);
    return clamp((vec2<f32>(value_hu) - low) / (high - low), vec2<f32>(0.0), vec2<f32>(1.0));
}

// Twin of `preprocess::sobel_in_range`, for fat (x) and bone (y) at once.
fn edge_in_range(pixel: vec2<i32>) -> vec2<f32> {
    let above_left = units_at(pixel + vec2<i32>(-1, -1));
    let above = units_at(pixel + vec2<i32>(0, -1));
    let above_right = units_at(pixel + vec2<i32>(1, -1));
    let left = units_at(pixel + vec2<i32>(-1, 0));
    let right = units_at(pixel + vec2<i32>(1, 0));
    let below_left = units_at(pixel + vec2<i32>(-1, 1));
    let below = units_at(pixel + vec2<i32>(0, 1));
    let below_right = units_at(pixel + vec2<i32>(1, 1));
    let across = above_right + 2.0 * right + below_right - above_left - 2.0 * left - below_left;
    let down = below_left + 2.0 * below + below_right - above_left - 2.0 * above - above_right;
    return min(sqrt(across * across + down * down) * 0.25, vec2<f32>(1.0));
}

fn color_at(pixel: vec2<i32>) -> vec3<f32> {
    return textureLoad(colors, clamp(pixel, vec2<i32>(0, 0), last_pixel()), 0).rgb;
}

// What the pane is made of at one pixel: HU, contours of fat and bone, or colour.
fn content_at(pixel: vec2<i32>) -> vec4<f32> {
    if pane.mode == 0u {
        return vec4<f32>(hu_at(pixel), 0.0, 0.0, 0.0);
    }
    if pane.mode == 1u {
        let inside = clamp(pixel, vec2<i32>(0, 0), last_pixel());
        return vec4<f32>(edge_in_range(inside), 0.0, 0.0);
    }
    if pane.color_share <= 0.0 {
        return vec4<f32>(0.0, 0.0, 0.0, hu_at(pixel));
    }
    return vec4<f32>(color_at(pixel), hu_at(pixel));
}

// The same at any place: the nearest pixel, or between four. Several samples of one pixel of the screen are averaged
// anyway: there the nearest will do, at a quarter of the reads.
fn content_near(place_px: vec2<f32>) -> vec4<f32> {
    if pane.is_smooth == 0u || pane.taps > 1u {
        return content_at(vec2<i32>(floor(place_px)));
    }
    let corner = floor(place_px - 0.5);
    let share = place_px - 0.5 - corner;
    let pixel = vec2<i32>(corner);
    let top = mix(content_at(pixel), content_at(pixel + vec2<i32>(1, 0)), share.x);
    let bottom = mix(content_at(pixel + vec2<i32>(0, 1)), content_at(pixel + vec2<i32>(1, 1)), share.x);
    return mix(top, bottom, share.y);
}

fn grey_of(value_hu: f32) -> f32 {
    let grey = grey_from_hu(value_hu);
    return select(grey, 1.0 - grey, (pane.flags & 1u) != 0u);
}

fn picture_at(place_px: vec2<f32>) -> vec3<f32> {
    if any(place_px < vec2<f32>(0.0)) || any(place_px >= pane.size_px) {
        return vec3<f32>(0.0);
    }
    let content = content_near(place_px);
    if pane.mode == 0u {
        return vec3<f32>(grey_of(content.x));
    }
    if pane.mode == 1u {
        return min(content.x * pane.fat_rgb.rgb + content.y * pane.bone_rgb.rgb, vec3<f32>(1.0));
    }
    let waiting = vec3<f32>(grey_of(content.w) * pane.grey_gain);
    return mix(waiting, content.rgb, pane.color_share);
}

fn linear_from_gamma(gamma: vec3<f32>) -> vec3<f32> {
    let low = gamma / 12.92;
    let high = pow((gamma + vec3<f32>(0.055)) / 1.055, vec3<f32>(2.4));
    return select(high, low, gamma <= vec3<f32>(0.04045));
}

@fragment
fn fragment_main(corner: Corner) -> @location(0) vec4<f32> {
    let place_px = pane.origin_px + corner.uv * pane.extent_px;
    var sum = vec3<f32>(0.0);
    let taps = f32(pane.taps);
    for (var row = 0u; row < pane.taps; row++) {
        for (var column = 0u; column < pane.taps; column++) {
            let within = (vec2<f32>(f32(column), f32(row)) + 0.5) / taps - 0.5;
            sum += picture_at(place_px + within * pane.step_px);
        }
    }
    var rgb = sum / (taps * taps);
    if (pane.flags & 2u) != 0u {
        rgb = linear_from_gamma(rgb);
    }
    return vec4<f32>(rgb, 1.0);
}

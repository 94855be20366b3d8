//! A speech model that nobody has trained.

const WIDTH: i32 = 4;
const LAYERS: i32 = 1;

/// Makes a model of the smallest shape with random weights; gives its bytes and where its tensors begin.
pub fn tiny(mut weight: impl FnMut() -> f32) -> (Vec<u8>, usize) {
    let mut file = 0x6767_6d6c_i32.to_le_bytes().to_vec();
    let put = |file: &mut Vec<u8>, number: i32| file.extend(number.to_le_bytes());
    for number in [51_864, 1500, WIDTH, 2, LAYERS, 448, WIDTH, 2, LAYERS, 80, 0, 80, 201] {
        put(&mut file, number);
    }
    (0..80 * 201).for_each(|_| file.extend(0.01_f32.to_le_bytes()));
    put(&mut file, 256);
    for byte in 0..=255_u8 {
        put(&mut file, 1);
        file.push(byte);
    }
    let tensors = file.len();
    let mut tensor = |name: &str, shape: &[i32]| {
        put(&mut file, i32::try_from(shape.len()).unwrap());
        put(&mut file, i32::try_from(name.len()).unwrap());
        put(&mut file, 0);
        for size in shape {
            put(&mut file, *size);
        }
        file.extend(name.as_bytes());
        (0..shape.iter().product::<i32>()).for_each(|_| file.extend(weight().to_le_bytes()));
    };
    for (side, attentions, context) in [("encoder", &["attn"][..], 1500), ("decoder", &["attn", "cross_attn"][..], 448)]
    {
        tensor(&format!("{side}.positional_embedding"), &[WIDTH, context]);
        let norm = if side == "encoder" { "encoder.ln_post" } else { "decoder.ln" };
        tensor(&format!("{norm}.weight"), &[WIDTH]);
        tensor(&format!("{norm}.bias"), &[WIDTH]);
        let block = format!("{side}.blocks.0");
        for attention in attentions {
            for part in ["query", "key", "value", "out"] {
                tensor(&format!("{block}.{attention}.{part}.weight"), &[WIDTH, WIDTH]);
                if part != "key" {
                    tensor(&format!("{block}.{attention}.{part}.bias"), &[WIDTH]);
                }
            }
            tensor(&format!("{block}.{attention}_ln.weight"), &[WIDTH]);
            tensor(&format!("{block}.{attention}_ln.bias"), &[WIDTH]);
        }
        for (part, shape) in [("mlp.0", [WIDTH, 4 * WIDTH]), ("mlp.2", [4 * WIDTH, WIDTH])] {
            tensor(&format!("{block}.{part}.weight"), &shape);
            tensor(&format!("{block}.{part}.bias"), &shape[1..]);
        }
        tensor(&format!("{block}.mlp_ln.weight"), &[WIDTH]);
        tensor(&format!("{block}.mlp_ln.bias"), &[WIDTH]);
    }
    tensor("encoder.conv1.weight", &[3, 80, WIDTH]);
    tensor("encoder.conv1.bias", &[1, WIDTH]);
    tensor("encoder.conv2.weight", &[3, WIDTH, WIDTH]);
    tensor("encoder.conv2.bias", &[1, WIDTH]);
    tensor("decoder.token_embedding.weight", &[WIDTH, 51_864]);
    (file, tensors)
}

/// Numbers that are the same in every run.
pub fn random(mut state: u32) -> impl FnMut() -> u32 {
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    }
}

/// Weights that are the same in every run.
pub fn weights(seed: u32) -> impl FnMut() -> f32 {
    let mut next = random(seed);
    move || f32::from(u16::try_from(next() & 0xffff).unwrap()) / 32768.0 - 1.0
}

use super::*;
use crate::api::error::ErrorKind;

/// A WAV file of 16-bit samples, or with `float`, of 32-bit numbers.
fn wav(rate: u32, channels: u16, samples: &[f32], float: bool) -> Vec<u8> {
    let (format, bits): (u16, u16) = if float { (3, 32) } else { (1, 16) };
    let block = channels * bits / 8;
    let mut data = Vec::new();
    for sample in samples {
        for _ in 0..channels {
            if float {
                data.extend(sample.to_le_bytes());
            } else {
                #[expect(clippy::cast_possible_truncation, reason = "samples are from -1 to 1")]
                data.extend(((sample * 32767.0) as i16).to_le_bytes());
            }
        }
    }
    let mut file = b"RIFF".to_vec();
    let length = |bytes: usize| u32::try_from(bytes).unwrap().to_le_bytes();
    file.extend(length(36 + data.len()));
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(format.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(block)).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend(length(data.len()));
    file.extend(data);
    file
}

fn decode(file: &[u8]) -> Result<Vec<f32>> {
    let mut audio = Audio::open(file.into(), "a.wav")?;
    let mut samples = Vec::new();
    while audio.read(&mut samples)? {}
    Ok(samples)
}

fn refusal(file: &[u8]) -> String {
    let error = decode(file).unwrap_err();
    assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidRequest, Some("file")), "{error}");
    error.message().to_owned()
}

#[test]
fn every_rate_and_number_of_channels_becomes_one() {
    for (rate, channels) in [(8_000, 1), (16_000, 1), (16_000, 2), (44_100, 2), (48_000, 8), (192_000, 2)] {
        let samples = decode(&wav(rate, channels, &vec![0.25; rate as usize], false)).unwrap();
        assert_eq!(samples.len(), 16_000, "{rate}");
        assert!(samples[2_000..14_000].iter().all(|sample| (sample - 0.25).abs() < 0.01), "{rate} {channels}");
    }
}

#[test]
fn loud_samples_are_clipped_and_impossible_ones_refused() {
    assert_eq!(decode(&wav(16_000, 1, &[7.0, -1e30, 0.5], true)).unwrap(), [1.0, -1.0, 0.5]);
    for wrong in [f32::NAN, f32::INFINITY] {
        assert!(refusal(&wav(16_000, 1, &[0.0, wrong], true)).contains("no finite numbers"));
    }
}

#[test]
fn what_is_no_audio_is_refused() {
    assert!(refusal(b"").contains("empty"));
    for garbage in [&b"x"[..], &[0; 10_000], b"{\"a\": 1}", b"RIFF", b"OggS", b"ID3", b"fLaC\0\0\0\x22", &[0xff; 5000]]
    {
        refusal(garbage);
    }
    assert!(refusal(&wav(16_000, 1, &[], false)).contains("no samples"));
    for (rate, channels) in [(1, 1), (400_000, 1), (16_000, 40)] {
        refusal(&wav(rate, channels, &[0.0; 100], false));
    }
}

#[test]
fn a_file_that_was_cut_off_is_heard_as_far_as_it_goes() {
    let whole = wav(16_000, 1, &[0.5; 1000], false);
    for end in 0..whole.len() {
        match decode(&whole[..end]) {
            Ok(samples) => assert!(samples.len() <= 1000 && end > 44),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidRequest),
        }
    }
    assert!(decode(&whole[..1044]).unwrap().len() >= 490);
}

#[test]
fn a_file_may_be_damaged_anywhere() {
    let whole = wav(8_000, 2, &[0.5; 500], false);
    let mut state = 1_u32;
    for _ in 0..3000 {
        let mut file = whole.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let place = (state >> 8) as usize % 60;
            file[place] = (state >> 24).to_le_bytes()[0];
        }
        if let Err(error) = decode(&file) {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        }
    }
}

/// A CAF file of 24-bit samples, of which so many bytes and frames are said to be a packet.
fn caf(bytes_per_packet: u32, frames_per_packet: u32, samples: usize) -> Vec<u8> {
    let mut file = b"caff\0\x01\0\0desc".to_vec();
    file.extend(32_u64.to_be_bytes());
    file.extend(16_000_f64.to_be_bytes());
    file.extend(b"lpcm");
    for number in [2, bytes_per_packet, frames_per_packet, 1, 24] {
        file.extend(number.to_be_bytes());
    }
    file.extend(b"data");
    file.extend((4 + 3 * samples as u64).to_be_bytes());
    file.extend([0; 4]);
    file.resize(file.len() + 3 * samples, 0);
    file
}

#[test]
fn room_is_not_made_for_what_a_file_says() {
    assert_eq!(decode(&caf(3, 1, 1000)).unwrap().len(), 1000);
    for frames in [u32::MAX, 1 << 20] {
        assert!(refusal(&caf(3, frames, 0)).contains("packets are long"));
        refusal(&caf(u32::MAX, frames, 1000));
    }
    refusal(&caf(3 << 22, 1, 1 << 22));
}
